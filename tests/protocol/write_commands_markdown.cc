// Writes docs/commands.md to standard output.
#include <cstdio>

#include "protocol/command_docs.h"

int main() {
  const std::string text = chainring::protocol::commands_markdown();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
