#include "cli/toml_text.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace chainring::cli {
namespace {

TomlEntry::Value list_value(const toml::array& list) {
  std::vector<std::string> texts;
  for (const toml::node& item : list) {
    const auto* text = item.as_string();
    if (text == nullptr) return {};
    texts.push_back(text->get());
  }
  return texts;
}

TomlEntry::Value value_of(const toml::node& node) {
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* list = node.as_array()) return list_value(*list);
  return {};
}

}  // namespace

Result<std::vector<TomlEntry>> parse_toml(std::string_view text, const std::string& file) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    return Status(ErrorCode::invalid_argument,
                  concat(file, ':', parsed.error().source().begin.line, ": ", parsed.error().description()));
  }
  std::vector<TomlEntry> entries;
  for (const auto& [key, node] : parsed.table()) {
    entries.push_back({std::string(key.str()), key.source().begin.line, value_of(node)});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  return entries;
}

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    } else {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace chainring::cli
