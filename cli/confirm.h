// Asks the operator before something that cannot be undone.
#pragma once

#include <string_view>

namespace chainring::cli {

// Prints the question and waits for a line on standard input; only "y" and "yes" are consent, its end is not.
[[nodiscard]] bool confirm(std::string_view question);

}  // namespace chainring::cli
