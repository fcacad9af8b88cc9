#include "base/settings.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

namespace chainring {
namespace {

std::string message_of(const Status& status) { return std::string(status.message()); }

// Settings that validate() accepts.
Settings valid(Role role) {
  Settings settings(role);
  if (role == kUpCommand) return settings;
  REQUIRE(settings.set(Setting::name, "c1").ok());
  REQUIRE(settings.set(Setting::coordinators, "c1=127.0.0.1:7301,c2=127.0.0.1:7302").ok());
  return settings;
}

bool mentions(const Status& status, std::string_view text) {
  return status.message().find(text) != std::string_view::npos;
}

}  // namespace

TEST_CASE("Settings: every row has a name of its own, a sentence and at least one role") {
  std::set<std::string_view> names;
  for (const SettingSpec& spec : setting_table()) {
    INFO(spec.name);
    CHECK(names.insert(spec.name).second);
    CHECK(spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos);
    CHECK(spec.doc.ends_with('.'));
    CHECK(spec.roles != 0);
    CHECK(spec.least <= spec.greatest);
    CHECK(find_setting(spec.name) == &spec);
    CHECK_FALSE((spec.live && spec.fixed));
  }
  CHECK(names.size() == kSettingCount);
  CHECK(find_setting("lease_ms") == nullptr);
  CHECK(find_setting("LEASE-MS") != nullptr);
}

TEST_CASE("Settings: defaults are those of each role") {
  CHECK(Settings(kRouterRole).number(Setting::port) == 7379);
  CHECK(Settings(kNodeRole).number(Setting::port) == 7401);
  CHECK(Settings(kCoordinatorRole).number(Setting::port) == 7301);
  CHECK(Settings(kRouterRole).text(Setting::cluster_enabled) == "no");
  CHECK(Settings(kNodeRole).text(Setting::cluster_enabled) == "yes");
  CHECK(Settings(kNodeRole).flag(Setting::cluster_enabled));
  CHECK(Settings(kUpCommand).text(Setting::dir) == "./chainring-data");
}

TEST_CASE("Settings: what Redis clients ask for reads as in Redis") {
  const Settings settings(kRouterRole);
  const auto read = [&](std::string_view name) { return settings.text(find_setting(name)->id); };
  CHECK(read("save").empty());
  CHECK(read("appendonly") == "no");
  CHECK(read("maxmemory") == "0");
  CHECK(read("maxmemory-policy") == "noeviction");
  CHECK(read("databases") == "16");
  CHECK(read("timeout") == "0");
  CHECK(read("maxclients") == "10000");
  CHECK(read("proto-max-bulk-len") == "536870912");
  CHECK(read("client-query-buffer-limit") == "1073741824");
  CHECK(read("notify-keyspace-events").empty());
  CHECK(read("replica-read-only") == "yes");
  CHECK(read("requirepass").empty());
}

TEST_CASE("Settings.set: sizes take Redis' units and read back as bytes") {
  Settings settings(kNodeRole);
  const std::pair<std::string_view, int64_t> sizes[] = {{"100", 100},          {"5b", 5},         {"1k", 1000},
                                                        {"1kb", 1024},         {"2m", 2'000'000}, {"2MB", 2 << 20},
                                                        {"1g", 1'000'000'000}, {"1Gb", 1 << 30}};
  for (const auto& [text, size] : sizes) {
    INFO(text);
    REQUIRE(settings.set(Setting::maxmemory, text).ok());
    CHECK(settings.number(Setting::maxmemory) == size);
    CHECK(settings.text(Setting::maxmemory) == std::to_string(size));
  }
  for (const std::string_view text : {"", "kb", "1tb", "-1", "1.5gb", "9223372036854775807kb", "1 kb"}) {
    INFO(text);
    CHECK_FALSE(settings.set(Setting::maxmemory, text).ok());
  }
  CHECK(settings.number(Setting::maxmemory) == 1 << 30);  // a refused value changes nothing
}

TEST_CASE("Settings.set: a refusal names the setting, what was given and what is allowed") {
  Settings settings(kCoordinatorRole);
  CHECK(message_of(settings.set(Setting::port, "70000")) ==
        "port: '70000' is not allowed: expected a whole number from 0 to 65535");
  CHECK(message_of(settings.set(Setting::on_loss, "panic")) == "on-loss: 'panic' is not allowed: expected wait, empty");
  CHECK(message_of(settings.set(Setting::appendonly, "yes")) == "appendonly: 'yes' is not allowed: it is always 'no'");
  CHECK(message_of(settings.set(Setting::coordinators, "c1")) ==
        "coordinators: 'c1' is not allowed: expected name=host:port,name=host:port, at most 64 of them");
  CHECK_FALSE(settings.set(Setting::port, "7 379").ok());
  CHECK_FALSE(settings.set(Setting::cluster_enabled, "yes").ok());
  CHECK_FALSE(settings.set(Setting::dir, std::string(5000, 'd')).ok());
  CHECK_FALSE(settings.set(Setting::dir, std::string_view("a\0b", 3)).ok());
  CHECK(settings.set(Setting::on_loss, "EMPTY").ok());
  CHECK(settings.text(Setting::on_loss) == "empty");
  CHECK(settings.set(Setting::databases, "16").ok());
}

TEST_CASE("Settings.addresses: names, hosts and ports come apart") {
  Settings settings(kNodeRole);
  CHECK(settings.addresses(Setting::coordinators).empty());
  REQUIRE(settings.set(Setting::coordinators, "c1=10.0.0.1:7301,host-2:7302,c3=[fe80::1]:7303").ok());
  const auto addresses = settings.addresses(Setting::coordinators);
  REQUIRE(addresses.size() == 3);
  CHECK(addresses[0].name == "c1");
  CHECK(addresses[0].host == "10.0.0.1");
  CHECK(addresses[0].port == 7301);
  CHECK(addresses[1].name.empty());
  CHECK(addresses[1].host == "host-2");
  CHECK(addresses[2].host == "fe80::1");
  CHECK(addresses[2].port == 7303);
  for (const std::string_view bad :
       {"c1=", ":7301", "h:0", "h:65536", "h:7301,", ",h:1", "fe80::1:7301", "c 1=h:1", "h"}) {
    INFO(bad);
    CHECK_FALSE(settings.set(Setting::coordinators, bad).ok());
  }
}

TEST_CASE("Settings.validate: the defaults of every role hold, and promise less than a second") {
  for (const Role role : {kNodeRole, kRouterRole, kCoordinatorRole, kUpCommand}) {
    INFO(int(role));
    CHECK(message_of(valid(role).validate()).empty());
  }
  const Settings settings(kCoordinatorRole);
  CHECK(2 * settings.number(Setting::election_ms) + settings.number(Setting::lease_ms) +
            settings.number(Setting::drift_margin_ms) <
        1000);
}

TEST_CASE("Settings.validate: a lease outlasts heartbeat, election and two fsyncs (R6)") {
  Settings settings = valid(kCoordinatorRole);
  REQUIRE(settings.set(Setting::lease_ms, "420").ok());
  CHECK(mentions(settings.validate(), "lease-ms: 420 must be more than heartbeat-ms (100) + 2 x election-ms (300)"));
  REQUIRE(settings.set(Setting::lease_ms, "421").ok());
  CHECK(settings.validate().ok());
  REQUIRE(settings.set(Setting::lease_ms, "2000").ok());  // slower than a second is the operator's choice
  CHECK(settings.validate().ok());

  Settings node = valid(kNodeRole);
  REQUIRE(node.set(Setting::lease_ms, "120").ok());
  CHECK(mentions(node.validate(), "lease-ms: 120 must be more than heartbeat-ms (100)"));
}

TEST_CASE("Settings.validate: the other times fit each other, and every violation is told") {
  Settings settings = valid(kCoordinatorRole);
  REQUIRE(settings.set(Setting::raft_heartbeat_ms, "75").ok());
  REQUIRE(settings.set(Setting::drift_margin_ms, "450").ok());
  REQUIRE(settings.set(Setting::repair_after_ms, "449").ok());
  REQUIRE(settings.set(Setting::request_timeout_ms, "1000").ok());
  const Status status = settings.validate();
  CHECK(mentions(status, "raft-heartbeat-ms: 75"));
  CHECK(mentions(status, "drift-margin-ms: 450"));
  CHECK(mentions(status, "repair-after-ms: 449"));
  CHECK(mentions(status, "request-timeout-ms: 1000"));
  CHECK(std::count(status.message().begin(), status.message().end(), '\n') == 3);
}

TEST_CASE("Settings.validate: listening where others can reach needs a password and a secret") {
  Settings settings = valid(kRouterRole);
  for (const std::string_view loopback : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) {
    REQUIRE(settings.set(Setting::bind, loopback).ok());
    CHECK(settings.validate().ok());
  }
  for (const std::string_view reachable : {"10.0.0.1", "0.0.0.0", "::", "example.org", "127.0.0.1.example.org", ""}) {
    INFO(reachable);
    REQUIRE(settings.set(Setting::bind, reachable).ok());
    CHECK(mentions(settings.validate(), "set requirepass, or bind to 127.0.0.1"));
    CHECK(mentions(settings.validate(), "set peer-secret"));
  }
  REQUIRE(settings.set(Setting::requirepass, "secret").ok());
  REQUIRE(settings.set(Setting::peer_secret, "other").ok());
  REQUIRE(settings.set(Setting::bind, "10.0.0.1").ok());
  CHECK(settings.validate().ok());
  REQUIRE(settings.set(Setting::bind, "0.0.0.0").ok());
  CHECK(mentions(settings.validate(), "announce-host: is missing"));
  REQUIRE(settings.set(Setting::announce_host, "10.0.0.1").ok());
  CHECK(settings.validate().ok());
}

TEST_CASE("Settings.validate: a process has a name, and a coordinator knows those of the others") {
  Settings settings(kCoordinatorRole);
  CHECK(mentions(settings.validate(), "name: is missing"));
  CHECK(mentions(settings.validate(), "coordinators: is missing"));
  REQUIRE(settings.set(Setting::coordinators, "c1=127.0.0.1:7301").ok());
  for (const std::string& bad : {std::string("c 1"), std::string("c/1"), std::string(65, 'c')}) {
    REQUIRE(settings.set(Setting::name, bad).ok());
    CHECK(mentions(settings.validate(), "1 to 64 of the characters"));
  }
  REQUIRE(settings.set(Setting::name, "c2").ok());
  CHECK(settings.validate().ok());  // one that is added later
  REQUIRE(settings.set(Setting::coordinators, "127.0.0.1:7301").ok());
  CHECK(mentions(settings.validate(), "every one needs its name"));
}

TEST_CASE("Settings.http_port: port + 1000 unless told, or none") {
  Settings settings(kRouterRole);
  CHECK(settings.http_port() == 8379);
  REQUIRE(settings.set(Setting::port, "0").ok());
  CHECK(settings.http_port() == 0);
  REQUIRE(settings.set(Setting::http_port, "9000").ok());
  CHECK(settings.http_port() == 9000);
  REQUIRE(settings.set(Setting::http_port, "None").ok());
  CHECK(settings.http_port() == std::nullopt);
  for (const std::string_view bad : {"65536", "-1", "", "off"}) CHECK_FALSE(settings.set(Setting::http_port, bad).ok());

  Settings high = valid(kNodeRole);
  REQUIRE(high.set(Setting::port, "64536").ok());
  CHECK(mentions(high.validate(), "http-port: port + 1000 is no port"));
  REQUIRE(high.set(Setting::http_port, "none").ok());
  CHECK(high.validate().ok());
}

TEST_CASE("settings_markdown: docs/settings.md is what the table says") {
  std::ifstream file(CHAINRING_SOURCE_DIR "/docs/settings.md");
  std::stringstream text;
  text << file.rdbuf();
  INFO("regenerate it from settings_markdown()");
  CHECK(text.str() == settings_markdown());
}

}  // namespace chainring
