// SPDX-License-Identifier: Apache-2.0
// Formulas, axes, samples, Pareto fronts and hypervolumes of sweeps.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "platform/explore/analysis.h"
#include "platform/explore/axis_values.h"
#include "platform/explore/expression.h"
#include "platform/explore/point_source.h"
#include "platform/explore/worker.h"
#include "platform/explore/workloads.h"
#include "platform/support/input_error.h"

namespace bvp {
namespace {

std::optional<ExpressionValue> lookup(const std::string& name) {
  static const std::map<std::string, ExpressionValue> values{
      {"a", 3.0}, {"soc.array.lanes", 16.0}, {"flag", true}, {"soc.dram.standard", std::string("lpddr5")}};
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional<ExpressionValue>(found->second);
}

double number(const char* text) { return Expression(text).number(lookup).value(); }
bool holds(const char* text) { return Expression(text).holds(lookup).value(); }

TEST_CASE("formulas have the usual precedence", "[exploration]") {
  CHECK(number("1 + 2 * 3 - 4 / 2") == 5);
  CHECK(number("2 ^ 3 ^ 2") == 512);
  CHECK(number("-2 ^ 2") == -4);
  CHECK(number("2 ^ -1") == 0.5);
  CHECK(number("(1 + 2) * 3") == 9);
  CHECK(number("min(a, 2, 5) + max(1, a) + abs(-1) + sqrt(16) + log2(8)") == 13);
  CHECK(number("1e3 + .5") == 1000.5);
  CHECK(holds("a < 4 and soc.array.lanes == 2 ^ 4 or false"));
  CHECK(holds("not a == 4 && flag"));
  CHECK(holds("soc.dram.standard == 'lpddr5' and soc.dram.standard != \"ddr4\""));
  CHECK_FALSE(holds("a >= 3 and not flag || a > 3"));
}

TEST_CASE("a formula without a value of a name has none, unless another part decides", "[exploration]") {
  CHECK_FALSE(Expression("unknown + 1").number(lookup).has_value());
  CHECK_FALSE(Expression("unknown > 1 and a == 3").holds(lookup).has_value());
  CHECK(Expression("unknown > 1 and a == 4").holds(lookup) == false);
  CHECK(Expression("unknown > 1 or a == 3").holds(lookup) == true);
  CHECK(Expression("a + unknown * a").names() == std::vector<std::string>{"a", "unknown"});
}

TEST_CASE("what is no formula is refused with its column", "[exploration]") {
  for (const char* text :
       {"", "1 +", "(1", "1)", "a b", "'open", "min(1)", "sqrt(1, 2)", "1 < 2 < 3", "and", "%", "1..2"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(Expression(text), ExpressionError);
  }
  CHECK_THROWS_WITH(Expression("1 + * 2"), Catch::Contains("'*' at column 5"));
  CHECK_THROWS_AS(Expression("'a' < 1").holds(lookup), ExpressionError);
  CHECK_THROWS_AS(Expression("a == flag").holds(lookup), ExpressionError);
  CHECK_THROWS_AS(Expression("a").holds(lookup), ExpressionError);
  CHECK_THROWS_AS(Expression(std::string(100'000, '(')), ExpressionError);
  const auto sum_of = [](std::size_t terms) {
    std::string text = "1";
    for (std::size_t i = 1; i < terms; ++i) text += "+1";
    return text;
  };
  CHECK(number(sum_of(5000).c_str()) == 5000);
  CHECK_THROWS_WITH(Expression(sum_of(400'000)), Catch::Contains("found a formula of 799999 characters"));
  CHECK_THROWS_AS(Expression(std::string(100'000, '-') + "1 ^ " + std::string(1000, ' ') + "("), ExpressionError);
}

TEST_CASE("values of an axis", "[exploration]") {
  const Scenario scenario;
  const ParamBase* const integer = find_parameter(scenario, "soc.dma.outstanding");
  const ParamBase* const real = find_parameter(scenario, "soc.array.clock_hz");
  REQUIRE(integer != nullptr);
  REQUIRE(real != nullptr);
  using List = std::vector<std::string>;
  CHECK(parse_axis_values("2^18..2^21", integer).list == List{"262144", "524288", "1048576", "2097152"});
  CHECK(parse_axis_values("1..4,8,2^4", integer).list == List{"1", "2", "3", "4", "8", "16"});
  CHECK(parse_axis_values("1..9:4", integer).list == List{"1", "5", "9"});
  CHECK(parse_axis_values("1..1000@4", integer).list == List{"1", "10", "100", "1000"});
  CHECK(parse_axis_values("1..3@9", integer).list == List{"1", "2", "3"});
  CHECK(parse_axis_values("0.1..0.5:0.1", real).list.size() == 5);
  CHECK(parse_axis_values("1e8..1e9", real).range.has_value());
  CHECK(parse_axis_values("a..b", nullptr).list == List{"a..b"});
  for (const char* text : {"", ",", "1,", "5..1", "1..9:0", "1..9:-1", "0..9@3", "1..9@1", "1..x", "2^63", "1..1e9"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_axis_values(text, integer), InputError);
  }
}

SweepDefinition two_axes(Sampling::Method method, u64 points) {
  SweepDefinition definition;
  Axis lanes;
  lanes.keys = {"soc.array.lanes"};
  lanes.positions = {{"8"}, {"16"}, {"32"}, {"64"}};
  Axis clock;
  clock.keys = {"soc.array.clock_hz"};
  clock.range = Axis::Range{1e8, 1e9, true};
  definition.axes = {lanes, clock};
  definition.sampling = {method, points, 7};
  return definition;
}

TEST_CASE("samples cover each axis evenly", "[exploration]") {
  for (const Sampling::Method method : {Sampling::Method::latin_hypercube, Sampling::Method::sobol}) {
    constexpr u64 count = 64;
    const SweepDefinition definition = two_axes(method, count);
    const PointSource source(definition);
    REQUIRE(source.count() == count);
    std::map<std::string, int> lanes;
    std::set<int> strata;
    for (u64 i = 1; i <= count; ++i) {
      const SweepPoint point = source.point(i);
      ++lanes[point.values[0].value];
      const double clock = std::stod(point.values[1].value);
      REQUIRE(clock >= 1e8);
      REQUIRE(clock <= 1e9);
      strata.insert(static_cast<int>(std::log10(clock / 1e8) * 16));
    }
    for (const auto& [value, times] : lanes) CHECK(std::abs(times - 16) <= 1);
    CHECK(strata.size() == 16);
    CHECK(source.point(0).values.empty());
    CHECK(source.point(3).values[1].value == PointSource(definition).point(3).values[1].value);
  }
}

TEST_CASE("a front has the points that none dominates", "[exploration]") {
  std::mt19937 generator(5);
  for (const std::size_t dimensions : {1U, 2U, 3U}) {
    std::vector<Costs> points;
    for (int i = 0; i < 200; ++i) {
      Costs point;
      for (std::size_t d = 0; d < dimensions; ++d) point.push_back(static_cast<double>(generator() % 20));
      points.push_back(point);
    }
    const std::vector<std::size_t> front = pareto_front(points);
    std::set<Costs> expected, found;
    for (const Costs& point : points) {
      bool beaten = false;
      for (const Costs& other : points) {
        bool no_worse = true;
        for (std::size_t d = 0; d < dimensions; ++d) no_worse &= other[d] <= point[d];
        beaten |= no_worse && other != point;
      }
      if (!beaten) expected.insert(point);
    }
    for (const std::size_t index : front) found.insert(points[index]);
    CHECK(found == expected);
    CHECK(front.size() == found.size());
  }
}

TEST_CASE("a hypervolume is that of the union of boxes", "[exploration]") {
  CHECK(hypervolume({{1}, {3}}, {4}) == 3);
  CHECK(hypervolume({{1, 3}, {3, 1}}, {4, 4}) == 5);
  CHECK(hypervolume({{4, 1}}, {4, 4}) == 0);
  // Counted cell by cell.
  std::mt19937 generator(6);
  constexpr int side = 8;
  for (int run = 0; run < 20; ++run) {
    std::vector<Costs> points;
    for (int i = 0; i < 12; ++i) {
      Costs point;
      for (int d = 0; d < 3; ++d) point.push_back(static_cast<double>(generator() % (side + 1)));
      points.push_back(point);
    }
    int cells = 0;
    for (int x = 0; x < side; ++x) {
      for (int y = 0; y < side; ++y) {
        for (int z = 0; z < side; ++z) {
          bool inside = false;
          for (const Costs& point : points) inside |= point[0] <= x && point[1] <= y && point[2] <= z;
          cells += inside ? 1 : 0;
        }
      }
    }
    CHECK(hypervolume(points, {side, side, side}) == cells);
  }
}

TEST_CASE("tasks and answers come through a pipe unchanged", "[exploration]") {
  const WorkerTask task{
      7, "a file\n.yaml", {{"soc.array.lanes", "8", {}}, {"network.layers", "[{mixing: fft2d}]", {}}}, "the key"};
  const WorkerTask read = read_task(task_text(task));
  CHECK(read.id == 7);
  CHECK(read.key == "the key");
  CHECK(read.file == task.file);
  REQUIRE(read.overrides.size() == 2);
  CHECK(read.overrides[1].value == task.overrides[1].value);
  CHECK_THROWS_AS(read_answer("Segmentation fault", "", ""), std::runtime_error);
}

TEST_CASE("how far a formula is from holding", "[exploration]") {
  const auto lookup = [](const std::string& name) -> std::optional<ExpressionValue> {
    if (name == "area") return ExpressionValue(50.0);
    if (name == "word") return ExpressionValue(std::string("x"));
    return std::nullopt;
  };
  const auto shortfall = [&](const char* text) { return Expression(text).shortfall(lookup); };
  CHECK(shortfall("area < 40") == Approx(0.2));
  CHECK(shortfall("area > 200") == Approx(0.75));
  CHECK(shortfall("area < 60") == Approx(0));
  CHECK(shortfall("area < 40 and area > 200") == Approx(0.75));
  CHECK(shortfall("area < 40 or area > 200") == Approx(0.2));
  CHECK_FALSE(shortfall("word == 'y'").has_value());
  CHECK_FALSE(shortfall("unknown < 1").has_value());
}

TEST_CASE("each design has a point for each combination of workloads", "[exploration]") {
  SweepDefinition definition = two_axes(Sampling::Method::random, 3);
  Axis method;
  method.keys = {"compiler.method"};
  method.positions = {{"improved"}, {"published"}};
  method.workload = true;
  definition.axes.insert(definition.axes.begin(), method);
  const PointSource source(definition);
  CHECK(source.has_workloads());
  CHECK(source.space() == std::vector<u64>{4, 0});
  // The base and three designs, on two workloads.
  REQUIRE(source.count() == 8);
  CHECK(source.point(0).values.empty());
  for (u64 number = 1; number <= 8; ++number) {
    const SweepPoint point = source.point(number);
    CAPTURE(number);
    CHECK(point.number == number);
    REQUIRE(point.values.size() == (number <= 2 ? 1 : 3));
    CHECK(point.values[0].value == (number % 2 == 1 ? "improved" : "published"));
    if (number > 2 && number % 2 == 0) CHECK(point.values[1].value == source.point(number - 1).values[1].value);
  }
}

TEST_CASE("the cost of a design is the geometric mean over its workloads", "[exploration]") {
  const Costs means = mean_costs({{2, -1}, {8, -4}});
  REQUIRE(means.size() == 2);
  CHECK(means[0] == Approx(4));
  CHECK(means[1] == Approx(-2));
  CHECK(mean_costs({{0, 3}}) == Costs{0, 3});
  CHECK(mean_costs({{2, 3}, {}}).empty());
  const nlohmann::ordered_json definition = nlohmann::ordered_json::parse(
      R"({"axes": [{"keys": ["lanes"], "positions": [["8"], ["16"]]},
                   {"keys": ["method"], "positions": [["a"], ["b"]], "workload": true}]})");
  const auto point = [](u64 number, std::map<std::string, std::string> values, double time, const char* word) {
    AnalysedPoint made;
    made.number = number;
    made.values = std::move(values);
    made.figures = {{"time_s", time}, {"word", word}};
    made.costs = {time};
    return made;
  };
  const std::vector<AnalysedPoint> designs =
      Workloads(definition)
          .designs_of({point(0, {}, 7, "x"), point(1, {{"method", "a"}}, 1, "x"), point(2, {{"method", "b"}}, 4, "y"),
                       point(3, {{"lanes", "8"}, {"method", "a"}}, 3, "x"),
                       point(4, {{"lanes", "8"}, {"method", "b"}}, 27, "x"),
                       point(5, {{"lanes", "16"}, {"method", "a"}}, 3, "x")});
  // That of 16 lanes lacks a workload; the base by itself is one of them only.
  REQUIRE(designs.size() == 2);
  CHECK(designs[0].number == 0);
  CHECK(designs[0].costs.front() == Approx(2));
  CHECK(designs[0].figures.count("word") == 0);
  CHECK(designs[1].number == 3);
  CHECK(designs[1].members == std::vector<u64>{3, 4});
  CHECK(designs[1].costs.front() == Approx(9));
  CHECK(designs[1].figures.at("time_s").get<double>() == Approx(9));
  CHECK(designs[1].figures.at("word") == "x");
}

}  // namespace
}  // namespace bvp
