#include "cli/cluster_plan.h"

#include "cli/config_file.h"
#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

UpCommand up_command(const std::vector<std::string>& arguments = {}) {
  std::vector<std::string> all{"up"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Result<Invocation> invocation = parse_command_line(all);
  INFO(invocation.status().message());
  REQUIRE(invocation.ok());
  return std::get<UpCommand>(*std::move(invocation));
}

std::string endpoints(const ClusterPlan& plan) {
  std::string text;
  for (const PlannedProcess& process : plan.processes) text += process.name + ":" + std::to_string(process.port) + " ";
  return text;
}

ClusterPlan planned(const ClusterShape& shape, const UpCommand& up) {
  Result<ClusterPlan> plan = plan_cluster(shape, up.settings, "/d");
  REQUIRE(plan.ok());
  return *std::move(plan);
}

}  // namespace

TEST_CASE("plan_cluster: ports are counted from the router's") {
  const UpCommand up = up_command();
  CHECK(endpoints(planned(ClusterShape{}, up)) == "c1:7301 c2:7302 c3:7303 n1:7401 n2:7402 n3:7403 r1:7379 ");
  CHECK(endpoints(planned({.nodes = {1}, .coordinators = 1, .routers = 2, .port = 9000}, up)) ==
        "c1:8922 n1:9022 r1:9000 r2:8999 ");
  CHECK(endpoints(planned({.nodes = {2, 5}, .coordinators = 1}, up)) == "c1:7301 n2:7402 n5:7405 r1:7379 ");
}

TEST_CASE("plan_cluster: ports that do not fit are refused") {
  const UpCommand up = up_command();
  for (const uint16_t port : {uint16_t{78}, uint16_t{65535}, uint16_t{64512}}) {
    const auto plan = plan_cluster({.port = port}, up.settings, "/d");
    REQUIRE_FALSE(plan.ok());
    CHECK(contains(plan.status().message(), "choose another port"));
  }
  CHECK(plan_cluster({.port = 79}, up.settings, "/d").ok());
  CHECK_FALSE(plan_cluster({.coordinators = 7, .routers = 80}, up.settings, "/d").ok());  // they would meet
}

TEST_CASE("settle_shape: what is not asked for is remembered, else the default") {
  CHECK(*settle_shape(up_command(), std::nullopt) == ClusterShape{});
  const ClusterShape made{.nodes = {1, 2, 3, 4, 5}, .coordinators = 1, .routers = 2, .copies = 2, .port = 9000};
  CHECK(*settle_shape(
            up_command({"--nodes", "5", "--coordinators", "1", "--routers", "2", "--copies", "2", "--port", "9000"}),
            std::nullopt) == made);
  CHECK(*settle_shape(up_command(), made) == made);
  CHECK(*settle_shape(up_command({"--nodes", "5"}), made) == made);
  const ClusterShape grown{.nodes = {2, 3, 7}};
  CHECK(*settle_shape(up_command({"--nodes", "3"}), grown) == grown);
}

TEST_CASE("settle_shape: what contradicts the directory is refused, and all of it is told") {
  const auto settled = settle_shape(up_command({"--nodes", "4", "--port", "7379", "--copies", "3"}),
                                    ClusterShape{.copies = 2, .port = 9000});
  REQUIRE_FALSE(settled.ok());
  CHECK(settled.status().message() ==
        "--nodes 4: the cluster in ./chainring-data has 3; to change that, start it and see `chainring reshard add` "
        "and `remove`, or give another directory with --dir\n"
        "--copies 3: the cluster in ./chainring-data has 2; to change that, start it and see `chainring reshard "
        "copies`, or give another directory with --dir\n"
        "--port 7379: the cluster in ./chainring-data has 9000; leave the option out, or give another directory with "
        "--dir");
}

TEST_CASE("ClusterShape: cluster.toml is read back, and one that was changed is refused") {
  const ClusterShape shape{.nodes = {1, 3, 4}, .coordinators = 5, .routers = 2, .copies = 1, .port = 1234};
  CHECK(*shape_from_toml(to_toml(shape), "f") == shape);
  for (const std::string_view bad :
       {"nodes = [\"n1\"]", "nodes = []", "x = 1", "nodes = \"n3\"", "nodes = [\"n2\", \"n1\"]", "nodes = [\"n0\"]",
        "nodes = [\"n201\"]", "port = 99999", "=", ""}) {
    INFO(bad);
    const auto read = shape_from_toml(bad, "f");
    REQUIRE_FALSE(read.ok());
    CHECK(contains(read.status().message(), "f:1: "));
  }
}

TEST_CASE("config_text: a child finds in it all that it needs, and it is valid") {
  const UpCommand up = up_command({"--requirepass", "se\"cret", "--lease-ms", "600", "--repair-after-ms", "5000",
                                   "--on-loss", "empty", "--maxmemory", "1gb"});
  const ClusterPlan plan = planned(ClusterShape{}, up);
  for (const PlannedProcess& process : plan.processes) {
    INFO(process.name);
    Settings settings(process.role);
    std::set<Setting> given;
    const Status read = apply_config(config_text(plan, process, up), "f", settings, given);
    INFO(read.message());
    REQUIRE(read.ok());
    CHECK(settings.validate().ok());
    CHECK(settings.text(Setting::name) == process.name);
    CHECK(settings.number(Setting::port) == process.port);
    CHECK(settings.text(Setting::dir) == "/d/" + process.name + "/data");
    CHECK(settings.text(Setting::logfile) == "/d/" + process.name + "/log");
    CHECK(settings.addresses(Setting::coordinators).size() == 3);
    CHECK(settings.text(Setting::requirepass) == "se\"cret");
    const bool leases = process.role != kRouterRole;
    CHECK(settings.number(Setting::lease_ms) == (leases ? 600 : 450));
    const bool coordinator = process.role == kCoordinatorRole;
    CHECK(settings.number(Setting::repair_after_ms) == (coordinator ? 5000 : 60000));
    CHECK(settings.text(Setting::on_loss) == (coordinator ? "empty" : "wait"));
    CHECK(settings.number(Setting::initial_nodes) == (coordinator ? 3 : 0));
    CHECK(settings.number(Setting::maxmemory) == (coordinator ? 0 : 1 << 30));
  }
}

TEST_CASE("config_text: processes find each other at the announced host, in brackets when it has colons") {
  const UpCommand up = up_command({"--bind", "::1"});
  const ClusterPlan plan = planned({.coordinators = 1}, up);
  CHECK(contains(config_text(plan, plan.processes[0], up), "coordinators = \"c1=[::1]:7301\""));
  const UpCommand open =
      up_command({"--bind", "0.0.0.0", "--announce-host", "10.1.1.1", "--requirepass", "p", "--peer-secret", "s"});
  const ClusterPlan wide = planned({.coordinators = 1}, open);
  const std::string text = config_text(wide, wide.processes[1], open);
  CHECK(contains(text, "bind = \"0.0.0.0\""));
  CHECK(contains(text, "announce-host = \"10.1.1.1\""));
  CHECK(contains(text, "coordinators = \"c1=10.1.1.1:7301\""));
}

}  // namespace chainring::cli
