// How far special functions are from exact values: special_accuracy FILE prints of each function of the file
// (tests/golden/special.bin) its name, the greatest error and that of 90 of 100 points, of f64 and of f32, in units of
// the last place, between tabs.
#include <cstdio>

#include "tests/functions/special_golden.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::puts("special_accuracy tests/golden/special.bin"), 1;
  for (const auto& g : jot::test::special_goldens(argv[1]))
    std::printf("%s\t%.3g\t%.3g\t%.3g\t%.3g\n", g.name.c_str(), g.wide.most, g.wide.ninety, g.narrow.most,
                g.narrow.ninety);
}
