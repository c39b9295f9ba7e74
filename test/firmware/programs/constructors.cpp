// SPDX-License-Identifier: Apache-2.0
// C++ without exceptions: constructors before main, virtual functions, new and delete, destructors and atexit behind
// main.
#include <stdio.h>
#include <stdlib.h>

#include "hal/exit.h"

namespace {

class Shape {
 public:
  virtual ~Shape() = default;
  virtual double area() const = 0;
};

class Square : public Shape {
 public:
  explicit Square(double side) : side_(side) {}
  double area() const override { return side_ * side_; }

 private:
  double side_;
};

int order = 0;

struct Early {
  Early() { early_at = ++order; }
  int early_at;
};

__attribute__((init_priority(200))) Early second;
__attribute__((init_priority(150))) Early first;

}  // namespace

int main() {
  printf("first %d, second %d\n", first.early_at, second.early_at);
  Shape* const shape = new Square(1.5);
  const bool right = first.early_at == 1 && second.early_at == 2 && shape->area() == 2.25;
  printf("area %.3f\n", shape->area());
  delete shape;
  atexit([] { printf("behind main\n"); });
  printf(right ? "constructors: right\n" : "constructors: failed\n");
  return right ? exit_done : exit_check_failed;
}
