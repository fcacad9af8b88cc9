#include "cli/config_file.h"

#include <optional>
#include <vector>

#include "base/text.h"
#include "cli/suggest.h"
#include "cli/system.h"
#include "cli/toml_text.h"

namespace chainring::cli {
namespace {

constexpr size_t kFileBytesMax = 1024 * 1024;

bool takes_number(SettingType type) {
  return type == SettingType::integer || type == SettingType::milliseconds || type == SettingType::bytes ||
         type == SettingType::derived_port || type == SettingType::bytes_or_percent;
}

bool takes_text(SettingType type) {
  return type != SettingType::integer && type != SettingType::milliseconds && type != SettingType::boolean;
}

std::string_view expected_type(SettingType type) {
  switch (type) {
    case SettingType::integer:
    case SettingType::milliseconds:
      return "a whole number";
    case SettingType::bytes:
      return "a whole number, or a text such as \"64mb\"";
    case SettingType::boolean:
      return "true or false";
    case SettingType::bytes_or_percent:
      return "a whole number, or a text such as \"64mb\" or \"5%\"";
    case SettingType::derived_port:
      return "a whole number, \"auto\" or \"none\"";
    case SettingType::address_list:
      return "a text in quotes, or a list of texts";
    case SettingType::text:
    case SettingType::secret:
    case SettingType::choice:
    case SettingType::output_limits:
      break;
  }
  return "a text in quotes";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) append_text(text, text.empty() ? "" : ",", part);
  return text;
}

// The value as the setting's text; nullopt when it has another type.
std::optional<std::string> value_text(const TomlEntry::Value& value, SettingType type) {
  if (const auto* number = std::get_if<int64_t>(&value); number != nullptr && takes_number(type)) {
    return std::to_string(*number);
  }
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && takes_text(type)) return *text;
  if (const auto* flag = std::get_if<bool>(&value); flag != nullptr && type == SettingType::boolean) {
    return *flag ? "yes" : "no";
  }
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (list != nullptr && type == SettingType::address_list) return joined(*list);
  return std::nullopt;
}

std::string unknown_key(std::string_view key, Role role) {
  if (find_setting(key) != nullptr) return concat("'", key, "' is not a setting of this command; remove the line");
  std::vector<std::string_view> names;
  for (const SettingSpec& spec : setting_table()) {
    if ((spec.roles & role) != 0 && !spec.fixed) names.push_back(spec.name);
  }
  return concat("unknown setting '", key, "'", did_you_mean(key, names));
}

// What is wrong with one key and its value; empty when it has been set.
std::string apply_one(const TomlEntry& entry, Settings& settings, std::set<Setting>& given) {
  const SettingSpec* spec = find_setting(entry.key);
  if (spec == nullptr || (spec->roles & settings.role()) == 0) return unknown_key(entry.key, settings.role());
  const std::optional<std::string> text = value_text(entry.value, spec->type);
  if (!text) return concat(spec->name, ": expected ", expected_type(spec->type));
  given.insert(spec->id);
  return std::string(settings.set(spec->id, *text).message());
}

}  // namespace

Status apply_config(std::string_view text, const std::string& file, Settings& settings, std::set<Setting>& given) {
  const Result<std::vector<TomlEntry>> entries = parse_toml(text, file);
  if (!entries) return entries.status();
  std::string mistakes;
  for (const TomlEntry& entry : *entries) {
    const std::string mistake = apply_one(entry, settings, given);
    if (mistake.empty()) continue;
    append_text(mistakes, mistakes.empty() ? "" : "\n", file, ':', entry.line, ": ", mistake);
  }
  return mistakes.empty() ? Status() : Status(ErrorCode::invalid_argument, mistakes);
}

Status apply_config_file(const std::string& file, Settings& settings, std::set<Setting>& given) {
  const Result<std::string> text = read_file(file);
  if (!text) {
    return Status(ErrorCode::invalid_argument, concat(text.status().message(), "; check the name given with --config"));
  }
  if (text->size() > kFileBytesMax) {
    return Status(ErrorCode::invalid_argument, concat(file, " is longer than 1 MiB, so no configuration file"));
  }
  return apply_config(*text, file, settings, given);
}

std::string config_line(const SettingSpec& spec, std::string_view value) {
  const bool digits = value.find_first_not_of("0123456789") == std::string_view::npos;
  if (takes_number(spec.type) && digits) return concat(spec.name, " = ", value, '\n');
  if (spec.type == SettingType::boolean) return concat(spec.name, " = ", value == "yes" ? "true" : "false", '\n');
  return concat(spec.name, " = ", toml_quoted(value), '\n');
}

}  // namespace chainring::cli
