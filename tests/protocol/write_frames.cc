// Writes tests/protocol/testdata/frames.txt to standard output.
#include <cstdio>

#include "tests/protocol/message_samples.h"

int main() {
  for (const std::string& line : chainring::protocol::testing::golden_frames()) std::puts(line.c_str());
}
