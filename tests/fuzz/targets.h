// What is fuzzed. Each takes any bytes, and dies by a CHECK or a sanitizer when what must hold for all inputs does
// not. They run under libFuzzer (fuzz_main.cc), and in the ordinary suite over the corpus and mutations of it
// (fuzz_test.cc).
#pragma once

#include <string_view>

namespace chainring::fuzz {

void fuzz_resp(std::string_view input);   // requests: parser, command lookup, keys
void fuzz_reply(std::string_view input);  // replies: scanner and tree
void fuzz_frame(std::string_view input);  // frames and the messages in them

}  // namespace chainring::fuzz
