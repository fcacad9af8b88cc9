#include "cli/config_file.h"

#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

struct Applied {
  Settings settings;
  std::set<Setting> given;
  std::string mistakes;
};

Applied apply(std::string_view text, Role role = kNodeRole) {
  Applied applied{Settings(role), {}, ""};
  applied.mistakes = apply_config(text, "n.toml", applied.settings, applied.given).message();
  return applied;
}

}  // namespace

TEST_CASE("apply_config: every type of setting is read") {
  const Applied applied = apply(R"(
# a node
name = "n1"
port = 7_405
maxmemory = "64mb"      # or a number
proto-max-bulk-len = 1048576
lease-ms = 500
loglevel = "debug"
coordinators = ["c1=10.0.0.1:7301", "c2=10.0.0.2:7301"]
)");
  CHECK(applied.mistakes.empty());
  CHECK(applied.settings.text(Setting::name) == "n1");
  CHECK(applied.settings.number(Setting::port) == 7405);
  CHECK(applied.settings.number(Setting::maxmemory) == 64 << 20);
  CHECK(applied.settings.number(Setting::proto_max_bulk_len) == 1 << 20);
  CHECK(applied.settings.text(Setting::loglevel) == "debug");
  CHECK(applied.settings.text(Setting::coordinators) == "c1=10.0.0.1:7301,c2=10.0.0.2:7301");
  CHECK(applied.given.size() == 7);
  CHECK(applied.given.contains(Setting::lease_ms));
  CHECK(apply("").mistakes.empty());
}

TEST_CASE("apply_config: a typo names its line and what was meant") {
  CHECK(apply("name = \"n1\"\n\nlese-ms = 450\n").mistakes ==
        "n.toml:3: unknown setting 'lese-ms'; did you mean 'lease-ms'?");
  CHECK(apply("frobnicate = 1").mistakes == "n.toml:1: unknown setting 'frobnicate'");
  CHECK(apply("snapshot-entries = 1000").mistakes ==
        "n.toml:1: 'snapshot-entries' is not a setting of this command; remove the line");
}

TEST_CASE("apply_config: a wrong type or value names its line and what is expected") {
  CHECK(apply("\nport = \"7401\"").mistakes == "n.toml:2: port: expected a whole number");
  CHECK(apply("port = 7401.5").mistakes == "n.toml:1: port: expected a whole number");
  CHECK(apply("name = 1").mistakes == "n.toml:1: name: expected a text in quotes");
  CHECK(apply("maxmemory = true").mistakes ==
        "n.toml:1: maxmemory: expected a whole number, or a text such as \"64mb\"");
  CHECK(apply("coordinators = [1, 2]").mistakes ==
        "n.toml:1: coordinators: expected a text in quotes, or a list of texts");
  CHECK(apply("[name]\nx = 1").mistakes == "n.toml:1: name: expected a text in quotes");
  CHECK(apply("port = 70000").mistakes ==
        "n.toml:1: port: '70000' is not allowed: expected a whole number from 0 to 65535");
}

TEST_CASE("apply_config: all mistakes are told, in the order of the lines") {
  CHECK(apply("weight = 0\nname = 1\nx = 2\nport = 7402\n").mistakes ==
        "n.toml:1: weight: '0' is not allowed: expected a whole number from 1 to 10000\n"
        "n.toml:2: name: expected a text in quotes\n"
        "n.toml:3: unknown setting 'x'");
}

TEST_CASE("apply_config: what is not TOML names its line") {
  CHECK(contains(apply("port = 7401\nname = n1\n").mistakes, "n.toml:2: "));
  CHECK(contains(apply("port = 1\nport = 2\n").mistakes, "n.toml:2: "));
  CHECK(contains(apply("port").mistakes, "n.toml:1: "));
  CHECK(contains(apply(std::string_view("a = \"\xff\xfe\"\n")).mistakes, "n.toml:1: "));
}

TEST_CASE("apply_config_file: a file that is not there is named") {
  Settings settings(kNodeRole);
  std::set<Setting> given;
  const Status status = apply_config_file("/nowhere/n.toml", settings, given);
  REQUIRE_FALSE(status.ok());
  CHECK(status.message() ==
        "cannot open /nowhere/n.toml: No such file or directory; check the name given with --config");
  CHECK_FALSE(apply_config_file("/", settings, given).ok());
}

TEST_CASE("config_line: what it writes is read back, whatever is in it") {
  for (const std::string_view value : {"plain", "with \"quotes\"", "back\\slash", "tab\tand\nline", "", "zür"}) {
    INFO(value);
    const SettingSpec& spec = *find_setting("requirepass");
    CHECK(apply(config_line(spec, value)).settings.text(Setting::requirepass) == value);
  }
  CHECK(config_line(*find_setting("port"), "7401") == "port = 7401\n");
  CHECK(config_line(*find_setting("maxmemory"), "100") == "maxmemory = 100\n");
}

}  // namespace chainring::cli
