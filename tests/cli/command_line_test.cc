#include "cli/command_line.h"

#include <fstream>

#include "session/version.h"
#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

const std::vector<std::string> kNode = {"node", "--name", "n1", "--coordinators", "c1=127.0.0.1:7301"};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

template <class T>
T parsed(const std::vector<std::string>& arguments) {
  Result<Invocation> invocation = parse_command_line(arguments);
  INFO(invocation.status().message());
  REQUIRE(invocation.ok());
  REQUIRE(std::holds_alternative<T>(*invocation));
  return std::get<T>(*std::move(invocation));
}

std::string refused(const std::vector<std::string>& arguments) {
  const Result<Invocation> invocation = parse_command_line(arguments);
  REQUIRE_FALSE(invocation.ok());
  return std::string(invocation.status().message());
}

}  // namespace

TEST_CASE("parse_command_line: help and version are texts, for every command") {
  CHECK(contains(parsed<ShowText>({"--help"}).text, "coordinator"));
  CHECK(parsed<ShowText>({"--version"}).text == "chainring " + std::string(session::kChainringVersion) + "\n");
  for (const char* command : {"up", "node", "router", "coordinator", "status", "reshard", "serve-empty", "recover"}) {
    CHECK(contains(parsed<ShowText>({command, "--help"}).text, "Usage: "));
  }
}

TEST_CASE("parse_command_line: every setting of a role is an option, with its default in the help, and no other") {
  for (const auto& [role, command] : {std::pair{kNodeRole, "node"}, std::pair{kRouterRole, "router"},
                                      std::pair{kCoordinatorRole, "coordinator"}, std::pair{kUpCommand, "up"}}) {
    const std::string help = parsed<ShowText>({command, "--help"}).text;
    for (const SettingSpec& spec : setting_table()) {
      INFO(command << " " << spec.name);
      const bool counted = role == kUpCommand && spec.id == Setting::coordinators;  // there it is how many
      const bool has = counted || ((spec.roles & role) != 0 && !spec.fixed);
      CHECK(contains(help, "  --" + std::string(spec.name) + " ") == has);
    }
  }
  CHECK(contains(parsed<ShowText>({"node", "--help"}).text, "[450]"));
}

TEST_CASE("parse_command_line: options set what they name") {
  const auto command = parsed<RoleCommand>(with(kNode, {"--lease-ms=500", "--maxmemory", "64mb", "--port", "0"}));
  CHECK(command.settings.role() == kNodeRole);
  CHECK(command.settings.number(Setting::lease_ms) == 500);
  CHECK(command.settings.number(Setting::maxmemory) == 64 << 20);
  CHECK(command.settings.number(Setting::port) == 0);
  CHECK(command.settings.text(Setting::bind) == "127.0.0.1");
  CHECK(parsed<RoleCommand>({"router", "--name", "r1", "--coordinators", "127.0.0.1:7301"}).settings.role() ==
        kRouterRole);
}

TEST_CASE("parse_command_line: options override the file, the file overrides the defaults") {
  const TempDirectory directory;
  const std::string file = directory.path() + "/n.toml";
  std::ofstream(file) << "name = \"n1\"\ncoordinators = \"c1=127.0.0.1:7301\"\nlease-ms = 600\nport = 7402\n";
  const auto command = parsed<RoleCommand>({"node", "--config", file, "--lease-ms", "700"});
  CHECK(command.settings.number(Setting::lease_ms) == 700);
  CHECK(command.settings.number(Setting::port) == 7402);
  CHECK(command.config_file == file);
}

TEST_CASE("parse_command_line: what is wrong is named, with what is right") {
  CHECK(contains(refused(with(kNode, {"--lese-ms", "1"})), "did you mean '--lease-ms'?\ntry: chainring node --help"));
  CHECK(contains(refused(with(kNode, {"--lese-ms=1"})), "did you mean '--lease-ms'?"));
  CHECK(contains(refused(with(kNode, {"--port", "x"})),
                 "--port: 'x' is not allowed: expected a whole number from 0 to 65535"));
  CHECK(contains(refused(with(kNode, {"--port"})), "--port"));
  CHECK(contains(refused({"nodes"}), "did you mean 'node'?\ntry: chainring --help"));
  CHECK(contains(refused({}), "try: chainring --help"));
  CHECK(contains(refused({"up", "--nodes", "0"}), "--nodes"));
  CHECK(contains(refused({"up", "--nodes", "many"}), "--nodes"));
  CHECK(contains(refused({"status", "--port", "0"}), "--port"));
  CHECK(contains(refused({"node"}), "name: is missing"));
  CHECK(contains(refused(with(kNode, {"--config", "/nowhere.toml"})), "/nowhere.toml"));
  CHECK_FALSE(refused(with(kNode, {"extra"})).empty());
}

TEST_CASE("parse_command_line: a combination that cannot work does not start") {
  CHECK(contains(refused(with(kNode, {"--bind", "0.0.0.0"})), "without a password: set requirepass"));
  CHECK(contains(refused(with(kNode, {"--lease-ms", "100"})), "lease-ms: 100 must be more than"));
  CHECK(contains(refused({"up", "--bind", "0.0.0.0"}), "without a password"));
  CHECK(contains(refused({"up", "--election-ms", "400"}), "lease-ms: 450 must be more than"));
}

TEST_CASE("parse_command_line: up knows what was asked for and what was not") {
  const auto plain = parsed<UpCommand>({"up"});
  CHECK_FALSE(plain.nodes.has_value());
  CHECK(plain.given.empty());
  CHECK_FALSE(plain.no_restart);
  const auto asked = parsed<UpCommand>({"up", "--nodes", "5", "--copies", "3", "--port", "9000", "--no-restart"});
  CHECK(asked.nodes == 5);
  CHECK(asked.given == std::set<Setting>{Setting::port, Setting::copies});
  CHECK(asked.settings.number(Setting::port) == 9000);
  CHECK(asked.no_restart);
}

TEST_CASE("parse_command_line: status") {
  const auto plain = parsed<StatusCommand>({"status"});
  CHECK(plain.host == "127.0.0.1");
  CHECK(plain.port == 7379);
  CHECK_FALSE(plain.json);
  const auto asked = parsed<StatusCommand>({"status", "--json", "--watch", "--host", "h", "--port", "1"});
  CHECK(asked.json);
  CHECK(asked.watch);
  CHECK(asked.host == "h");
  CHECK(asked.port == 1);
}

TEST_CASE("parse_command_line: serve-empty and recover") {
  const auto lost = parsed<ServeEmptyCommand>({"serve-empty", "--gone", "n1", "--gone", "n2", "--port", "1"});
  CHECK(lost.gone == std::vector<std::string>{"n1", "n2"});
  CHECK(lost.port == 1);
  CHECK_FALSE(lost.yes);
  const auto recover = parsed<RecoverCommand>({"recover", "--nodes", "10.0.0.1:7401,10.0.0.2:7401", "--coordinators",
                                               "c1=10.0.0.1:7301", "--yes", "--accept-loss"});
  REQUIRE(recover.nodes.size() == 2);
  CHECK(recover.nodes[1].host == "10.0.0.2");
  CHECK(recover.nodes[1].port == 7401);
  REQUIRE(recover.coordinators.size() == 1);
  CHECK(recover.coordinators[0].name == "c1");
  CHECK(recover.yes);
  CHECK(recover.accept_loss);
  CHECK(contains(refused({"recover", "--coordinators", "c1=h:1"}), "--nodes"));
  CHECK(contains(refused({"recover", "--nodes", "here", "--coordinators", "c1=h:1"}), "'here' is not host:port"));
}

TEST_CASE("parse_command_line: reshard has a verb, and options before or behind it") {
  using Kind = RingChange::Kind;
  using Verb = ReshardCommand::Verb;
  const auto change = [](const std::vector<std::string>& words) {
    const auto command = parsed<ReshardCommand>(with({"reshard"}, words));
    CHECK(command.verb == Verb::change);
    REQUIRE(command.change.has_value());
    return *command.change;
  };
  CHECK(change({"add"}) == RingChange{Kind::add, "", 0});
  CHECK(change({"add", "n4"}) == RingChange{Kind::add, "n4", 0});
  CHECK(change({"remove", "n1"}) == RingChange{Kind::remove, "n1", 0});
  CHECK(change({"weight", "n1", "200"}) == RingChange{Kind::weight, "n1", 200});
  CHECK(change({"copies", "2"}) == RingChange{Kind::copies, "", 2});

  const auto plain = parsed<ReshardCommand>({"reshard", "status"});
  CHECK(plain.verb == Verb::status);
  CHECK_FALSE(plain.change.has_value());
  CHECK_FALSE(plain.port.has_value());
  CHECK(plain.directory == "./chainring-data");
  const auto asked = parsed<ReshardCommand>(
      {"reshard", "--host", "h", "add", "n4", "--port", "1", "--password", "p", "--dir", "d", "--no-wait"});
  CHECK(asked.host == "h");
  CHECK(asked.port == 1);
  CHECK(asked.password == "p");
  CHECK(asked.directory == "d");
  CHECK(asked.no_wait);
  for (const auto& [word, verb] : {std::pair{"pause", Verb::pause}, std::pair{"resume", Verb::resume},
                                   std::pair{"cancel", Verb::cancel}, std::pair{"plan", Verb::plan}}) {
    CHECK(parsed<ReshardCommand>({"reshard", word}).verb == verb);
    CHECK_FALSE(parsed<ReshardCommand>({"reshard", word}).change.has_value());
  }
  const auto plan = parsed<ReshardCommand>({"reshard", "plan", "weight", "n1", "50", "--json"});
  CHECK(plan.verb == Verb::plan);
  CHECK(plan.change == RingChange{Kind::weight, "n1", 50});
  CHECK(plan.json);
  CHECK(contains(parsed<ShowText>({"reshard", "--help"}).text, "Ctrl-C"));
  CHECK(contains(parsed<ShowText>({"reshard", "add", "--help"}).text, "NAME"));
}

TEST_CASE("parse_command_line: reshard used wrongly, with what is right") {
  CHECK(contains(refused({"reshard"}), "try: chainring reshard --help"));
  CHECK(contains(refused({"reshard", "pasue"}), "did you mean 'pause'?\ntry: chainring reshard --help"));
  CHECK(contains(refused({"reshard", "status", "--prot", "1"}), "did you mean '--port'?"));
  CHECK(contains(refused({"reshard", "plan", "ad", "n4"}), "did you mean 'add'?\ntry: chainring reshard plan --help"));
  CHECK(contains(refused({"reshard", "remove"}), "NAME"));
  CHECK(contains(refused({"reshard", "remove"}), "try: chainring reshard remove --help"));
  CHECK(contains(refused({"reshard", "plan", "add"}), "NAME"));
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"weight", "n1", "0"},
                                                {"weight", "n1", "10001"},
                                                {"weight", "n1"},
                                                {"copies", "0"},
                                                {"copies", "17"},
                                                {"add", "n4", "n5"},
                                                {"pause", "now"},
                                                {"add", "--json"},
                                                {"plan", "--watch"},
                                                {"status", "--no-wait"},
                                                {"status", "--watch", "--json"}}) {
    CHECK(contains(refused(with({"reshard"}, wrong)), "try: chainring reshard"));
  }
}

}  // namespace chainring::cli
