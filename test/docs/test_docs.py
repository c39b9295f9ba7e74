# SPDX-License-Identifier: Apache-2.0
"""The pages: links lead somewhere, every page is reached from the README, and what commands name is there."""
import pathlib
import re
import unittest

TREE = pathlib.Path(__file__).resolve().parents[2]
PAGES = [TREE / name for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]] + sorted((TREE / "docs").rglob("*.md"))


def text_of(page):
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchor(heading):
    """As GitHub makes them."""
    words = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def links_of(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, place = target.partition("#")
        yield target, (page.parent / path).resolve() if path else page, place


class Documentation(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in PAGES:
            for target, path, place in links_of(page):
                with self.subTest(page=page.name, target=target):
                    self.assertTrue(path.exists())
                    if place and path.suffix == ".md":
                        self.assertIn(place, [anchor(h) for h in re.findall(r"(?m)^#+ +(.*)$", text_of(path))])

    def test_every_page_is_reached_from_the_readme(self):
        reached, open_pages = set(), [TREE / "README.md"]
        while open_pages:
            page = open_pages.pop()
            if page in reached or page.suffix != ".md":
                continue
            reached.add(page)
            open_pages += [path for _, path, _ in links_of(page) if path.is_file()]
        self.assertEqual([str(page.relative_to(TREE)) for page in PAGES if page not in reached], [])

    def test_files_in_commands_are_there(self):
        """Shipped ones, and those that a command of the same page makes."""
        for page in PAGES:
            whole = page.read_text()
            for file in set(re.findall(r"(?<![\w/.-])(?:scenarios|scripts|firmware|test|docs)/[\w./-]*\w", whole)):
                with self.subTest(page=page.name, file=file):
                    known = any((base / file).exists() for base in [TREE, page.parent, TREE / "models", TREE / "platform"])
                    generated = "PRESET" in file or file.startswith(("firmware/generated", "docs/reference"))
                    self.assertTrue(known or generated or not pathlib.Path(file).suffix, f"{page}: {file}")
            for file in re.findall(r"run\.(?:weights|input)=(\S+)", whole):
                with self.subTest(page=page.name, file=file):
                    directory = pathlib.Path(file).parts[0]
                    self.assertTrue(re.search(rf"--out \S*{re.escape(directory)}|{re.escape(file)}\"", whole)
                                    or f"`{file}`" in whole or file == "run.weights" or (TREE / file).is_file(), file)

    def test_glossary_names_each_word_once_and_files_that_are_there(self):
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in (TREE / "docs/glossary.md").read_text().splitlines()
                if line.startswith("| ") and not line.startswith(("| word |", "| --- |"))]
        self.assertGreater(len(rows), 50)
        words = [row[0] for row in rows]
        self.assertEqual([word for word in words if words.count(word) > 1], [])
        for row in rows:
            with self.subTest(word=row[0]):
                self.assertEqual(len(row), 3)
                folder = TREE
                for place in re.findall(r"`([^`]+)`", row[2]):
                    path = TREE / place if "/" in place or place.startswith("CMake") else folder / place
                    self.assertTrue(path.exists(), place)
                    folder = path.parent


if __name__ == "__main__":
    unittest.main()
