// SPDX-License-Identifier: Apache-2.0
// Catch2's main, compiled once. SystemC brings its own main, so this is sc_main.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <systemc>

int sc_main(int argc, char* argv[]) { return Catch::Session().run(argc, argv); }
