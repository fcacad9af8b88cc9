// `chainring reshard` as a real process, beside an `up` around stand-in roles.
#include "cli/system.h"
#include "tests/cli/local_up.h"

#include <csignal>
#include <fstream>

namespace chainring::cli {
namespace {

// A cluster of stand-ins, and `chainring reshard` at it.
class Cluster {
 public:
  explicit Cluster(const std::vector<std::string>& options = {}) : up_(with(up_arguments(directory_, port_), options)) {
    const bool ready = until_ready(up_);
    INFO("up said: " << up_.err);
    REQUIRE(ready);
  }
  ~Cluster() { stop(); }

  [[nodiscard]] std::string data() const { return directory_.path() + "/data"; }
  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] std::string remembered() const { return *read_file(data() + "/cluster.toml"); }
  [[nodiscard]] pid_t pid(const std::string& name) const { return pid_of(directory_, name); }
  Program& up() { return up_; }

  [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& words) const {
    return with(with({"reshard"}, words), {"--dir", data(), "--port", port_});
  }
  [[nodiscard]] Finished reshard(const std::vector<std::string>& words) const { return run_program(arguments(words)); }
  // The router loses the next request that begins so, or only the reply to it.
  void lose(const std::string& what, const std::string& request) const {
    std::ofstream(data() + "/r1/data/lose-" + what) << request;
  }
  void stop() {
    if (stopped_) return;
    stopped_ = true;
    up_.signal(SIGINT);
    CHECK(up_.wait() == 0);
  }
  [[nodiscard]] Finished start_and_stop_again() {
    stop();
    Program again({"up", "--dir", data()});
    CHECK(until_ready(again));
    again.signal(SIGINT);
    const int status = again.wait();
    return {status, again.out, again.err};
  }

 private:
  static std::vector<std::string> with(std::vector<std::string> first, const std::vector<std::string>& more) {
    first.insert(first.end(), more.begin(), more.end());
    return first;
  }

  const TempDirectory directory_;
  const std::string port_ = free_port();
  Program up_;
  bool stopped_ = false;
};

}  // namespace

TEST_CASE("chainring reshard add: without a name up starts one more node, and remembers it") {
  Cluster cluster;
  const Finished added = cluster.reshard({"add"});
  INFO("said: " << added.err);
  CHECK(added.status == 0);
  CHECK(contains(added.err, "add n4 [####................] 20 %  20 of 100 slots"));
  CHECK(contains(added.out, "n4 is in the ring: 100 slots changed"));
  CHECK(runs(cluster.pid("n4")));
  CHECK(contains(cluster.remembered(), R"(nodes = ["n1", "n2", "n3", "n4"])"));
  REQUIRE(cluster.up().until([&] { return contains(cluster.up().out, "\nnode n4 127.0.0.1:"); }));

  const Finished again = cluster.start_and_stop_again();
  CHECK(contains(again.out, "\nnode n4 127.0.0.1:"));
}

TEST_CASE("chainring reshard remove: up stops the node when it is out of the ring, and forgets it") {
  Cluster cluster;
  const pid_t pid = cluster.pid("n1");
  const Finished removed = cluster.reshard({"remove", "n1"});
  INFO(removed.err);
  CHECK(removed.status == 0);
  CHECK(contains(removed.out, "n1 is out of the ring: 100 slots changed"));
  CHECK(contains(removed.out, "n1 was stopped"));
  CHECK_FALSE(runs(pid));
  CHECK(contains(cluster.remembered(), R"(nodes = ["n2", "n3"])"));
  CHECK_FALSE(contains(cluster.up().err, "again"));

  const Finished again = cluster.start_and_stop_again();
  CHECK_FALSE(contains(again.out, "node n1"));
  CHECK(contains(again.out, "node n3"));
}

TEST_CASE("chainring reshard remove: a removal that was taken back leaves the node running") {
  Cluster cluster;
  CHECK(cluster.reshard({"pause"}).status == 0);
  CHECK(cluster.reshard({"remove", "n1", "--no-wait"}).status == 0);
  const Finished status = cluster.reshard({"status"});
  CHECK(contains(status.out, "remove n1 [....................] 0 %  0 of 100 slots  0 B  paused"));
  const Finished cancelled = cluster.reshard({"cancel"});
  CHECK(cancelled.status == 0);
  CHECK(contains(cancelled.out, "remove n1 was undone"));
  CHECK(contains(cluster.reshard({"status", "--json"}).out, R"("state":"idle")"));
  CHECK(cluster.reshard({"weight", "n1", "150"}).status == 0);  // it is still there
  CHECK(runs(cluster.pid("n1")));
  CHECK(contains(cluster.remembered(), R"("n1")"));
}

TEST_CASE("chainring reshard: a change that is refused fails with the reason") {
  Cluster cluster;
  const Finished weight = cluster.reshard({"weight", "n9", "200"});
  CHECK(weight.status == 1);
  CHECK(weight.err == "chainring reshard: n9 is not in the ring\n");
}

TEST_CASE("chainring reshard: Ctrl-C ends the watching, not the change") {
  Cluster cluster;
  CHECK(cluster.reshard({"pause"}).status == 0);
  Program watching(cluster.arguments({"copies", "2"}));
  REQUIRE(watching.until([&] { return contains(watching.err, "copies 2 ["); }));
  watching.signal(SIGINT);
  CHECK(watching.wait() == 1);
  CHECK(contains(watching.err, "the change goes on without this command"));
  CHECK(cluster.reshard({"resume"}).status == 0);
  const Finished watched = cluster.reshard({"status", "--watch"});
  CHECK(watched.status == 0);
  CHECK(contains(watched.err, "copies 2 ["));
  CHECK(watched.out == "nothing moves\n");
  cluster.stop();
  CHECK(contains(cluster.remembered(), "copies = 2"));
}

TEST_CASE("chainring reshard: a node that up started and that was not added is the next to be added") {
  Cluster cluster;
  cluster.lose("request", "RING ADD");
  const Finished added = cluster.reshard({"add", "--no-wait"});
  CHECK(added.status == 0);
  CHECK(contains(added.out, "add n4 has begun"));
  CHECK(cluster.reshard({"cancel"}).status == 0);
  const Finished again = cluster.reshard({"add"});
  CHECK(again.status == 0);
  CHECK(contains(again.out, "n4 is in the ring"));
  CHECK(cluster.pid("n5") == 0);
}

TEST_CASE("chainring reshard remove: a node that up started and that is not in the ring is stopped at once") {
  Cluster cluster;
  CHECK(cluster.reshard({"pause"}).status == 0);
  CHECK(cluster.reshard({"add", "--no-wait"}).status == 0);
  CHECK(cluster.reshard({"cancel"}).status == 0);
  CHECK(runs(cluster.pid("n4")));
  const Finished removed = cluster.reshard({"remove", "n4"});
  INFO("said: " << removed.err);
  CHECK(removed.status == 0);
  CHECK(removed.out == "n4 was stopped; the next `chainring up` here is without it\n");
  CHECK(cluster.pid("n4") == 0);
}

TEST_CASE("chainring reshard: lost connections are made again, and a change is not sent twice") {
  Cluster cluster;
  cluster.lose("reply", "RING WEIGHT");  // a second one would be refused: another change is under way
  const Finished weight = cluster.reshard({"weight", "n2", "300"});
  INFO("said: " << weight.out << weight.err);
  CHECK(weight.status == 0);
  CHECK(contains(weight.out, "n2 has the weight 300: 100 slots changed"));
  cluster.lose("request", "RING RESHARD");
  const Finished copies = cluster.reshard({"copies", "2"});
  INFO(copies.err);
  CHECK(copies.status == 0);
  CHECK(contains(copies.out, "the ring keeps 2 copies of each slot"));
}

TEST_CASE("chainring reshard: the directory of up tells where the cluster is") {
  Cluster cluster;
  const Finished finished = run_program({"reshard", "status", "--dir", cluster.data()});
  CHECK(finished.status == 0);
  CHECK(finished.out == "idle\n");
}

TEST_CASE("chainring reshard plan: a table, or JSON, and nothing moves") {
  Cluster cluster;
  const Finished plan = cluster.reshard({"plan", "weight", "n1", "200"});
  CHECK(plan.status == 0);
  CHECK(contains(plan.out, "n4    100     12288 (+12288)"));
  CHECK(cluster.reshard({"plan", "--json"}).out.starts_with("{\"moves\":12288,"));
  CHECK(cluster.reshard({"status"}).out == "idle\n");
  const Finished unknown = cluster.reshard({"plan", "add", "n9"});
  CHECK(unknown.status == 1);
  CHECK(unknown.err == "chainring reshard: no node 'n9' has registered\n");
}

TEST_CASE("chainring reshard add: without a name and without up, the name is asked for") {
  Cluster cluster;
  const Finished elsewhere =
      run_program({"reshard", "add", "--dir", cluster.data() + "/nowhere", "--port", cluster.port()});
  CHECK(elsewhere.status == 2);
  CHECK(contains(elsewhere.err, "Give the NAME"));
  // An `up` in the directory is of no use when another cluster is meant.
  const Finished other = run_program({"reshard", "add", "--dir", cluster.data(), "--port", "1"});
  CHECK(other.status == 2);
  const Finished named = run_program({"reshard", "add", "n9", "--dir", "/nowhere", "--port", cluster.port()});
  CHECK(named.status == 1);
  CHECK(contains(named.err, "no node 'n9' has registered"));
}

TEST_CASE("chainring reshard: a coordinator that runs no stand-in is told of, with what to give") {
  const Finished finished = run_program({"reshard", "status", "--dir", "/nowhere", "--port", "1"});
  CHECK(finished.status == 1);
  CHECK(contains(finished.err, "cannot connect to 127.0.0.1:1"));
  CHECK(contains(finished.err, "--host and --port"));
}

}  // namespace chainring::cli
