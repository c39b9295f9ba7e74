// The part in C++, with a constructor that runs before main.
#include "counter.h"

namespace {

class Counter {
 public:
  Counter() : value_(0) {}
  void count() { ++value_; }
  int value() const { return value_; }

 private:
  int value_;
};

Counter counter;

}  // namespace

void count() { counter.count(); }
int counts() { return counter.value(); }
