#include "cli/confirm.h"

#include <cstdio>
#include <iostream>
#include <string>

#include "base/text.h"

namespace chainring::cli {

bool confirm(std::string_view question) {
  std::fputs(concat(question, " [y/N] ").c_str(), stdout);
  std::fflush(stdout);
  std::string answer;
  return std::getline(std::cin, answer) && (equals_ignoring_case(answer, "y") || equals_ignoring_case(answer, "yes"));
}

}  // namespace chainring::cli
