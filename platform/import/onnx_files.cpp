// SPDX-License-Identifier: Apache-2.0
#include "platform/import/onnx_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/interruption.h"
#include "platform/support/printable.h"
#include "platform/support/resources.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

constexpr const char* interpreter = "/usr/bin/python3";  // for which Debian's python3-onnx is

/// Where the package is in the source tree, and where it is installed.
fs::path python_path() {
  for (const char* directory : {"scripts/python", "lib/python3/dist-packages"}) {
    if (const auto found = find_resource(fs::path(directory) / "butterfly_vp" / "onnx_models")) {
      return found->parent_path().parent_path();
    }
  }
  throw InputError("the Python package butterfly_vp, which reads ONNX models, is not installed beside this program");
}

[[noreturn]] void become_reader(const fs::path& model, const fs::path& directory, u64 tokens, const fs::path& package,
                                const fs::path& output, const fs::path& messages) {
  setenv("PYTHONPATH", package.c_str(), 1);
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  const auto redirect = [](const fs::path& file, int descriptor) {
    const int opened = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return opened >= 0 && dup2(opened, descriptor) == descriptor;
  };
  if (!redirect(output, STDOUT_FILENO) || !redirect(messages, STDERR_FILENO)) _exit(126);
  const std::string count = std::to_string(tokens), absolute = fs::absolute(model).string();
  std::array<const char*, 9> arguments{
      interpreter, "-m", "butterfly_vp.onnx_models", absolute.c_str(), directory.c_str(), nullptr, nullptr, nullptr};
  if (tokens != 0) {
    arguments[5] = "--tokens";
    arguments[6] = count.c_str();
  }
  execv(interpreter, const_cast<char* const*>(arguments.data()));
  _exit(127);
}

/// What the reader has said is in the way: one sentence a line.
std::string problems_in(const fs::path& model, const fs::path& messages, int status) {
  constexpr std::size_t longest = 1000;
  std::istringstream lines(read_input_file(messages, 1 << 20));
  std::string text, line;
  while (std::getline(lines, line)) {
    if (!line.empty()) text += (text.empty() ? "" : "\n") + printable(line, longest);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2 && !text.empty()) return text;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return fmt::format("{}: ONNX models are read by {}, which cannot be started", model.string(), interpreter);
  }
  const std::size_t last = text.rfind('\n');
  return fmt::format("{}: cannot be read as an ONNX model: {}", model.string(),
                     text.empty() ? fmt::format("the reader ended with status {}", status)
                                  : text.substr(last == std::string::npos ? 0 : last + 1));
}

}  // namespace

OnnxFiles::OnnxFiles(const fs::path& model, u64 tokens)
    : directory_(fs::temp_directory_path() / fmt::format("butterfly-vp.{}", random_name())),
      tensors_(directory_.path() / "model.safetensors"),
      config_(directory_.path() / "config.json") {
  std::error_code error;
  const fs::path package = python_path();
  if (!fs::create_directory(directory_.path(), error)) {
    throw InputError(fmt::format("{}: cannot be made: {}", directory_.path().string(), error.message()));
  }
  fs::permissions(directory_.path(), fs::perms::owner_all, error);
  const TemporaryPath output(directory_.path() / "output"), messages(directory_.path() / "messages");
  const pid_t parent = getpid(), child = fork();
  if (child < 0) throw InputError(fmt::format("{}: no process can be started: {}", model.string(), strerror(errno)));
  if (child == 0) {
    Interruption::become_child(parent);
    become_reader(model, directory_.path(), tokens, package, output.path(), messages.path());
  }
  // What the reader has not finished when a signal ends both.
  const TemporaryPath unfinished(directory_.path() / fmt::format("model.safetensors.{}.part", child));
  Interruption::set_child(child);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Interruption::set_child(0);
  if (status != 0) throw InputError(problems_in(model, messages.path(), status));
  const nlohmann::json said = read_json_file(output.path());
  for (const nlohmann::json& sentence : said.at("left_out"))
    left_out_.push_back(printable(sentence.get<std::string>()));
}

}  // namespace bvp
