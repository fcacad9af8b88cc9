#include "cli/control_socket.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "cli/up_report.h"
#include "io/real_clock.h"
#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

constexpr Millis kTimeout = 20'000;

std::string joined(std::span<const std::string_view> words) {
  std::string text = "+";
  for (const std::string_view word : words) text += std::string(word) + ".";
  return text + "\r\n";
}

// Serves in a thread of its own until it goes.
class Serving {
 public:
  explicit Serving(const std::string& directory) : socket_(opened(directory)), thread_([this] { serve(); }) {}
  ~Serving() {
    done_ = true;
    thread_.join();
  }

 private:
  static ControlSocket opened(const std::string& directory) {
    Result<ControlSocket> socket = ControlSocket::open(directory);
    INFO(socket.status().message());
    REQUIRE(socket.ok());
    return *std::move(socket);
  }
  void serve() {
    while (!done_) {
      std::vector<pollfd> fds = socket_.awaited();
      ::poll(fds.data(), fds.size(), 5);
      socket_.turn(io::read_mono(), joined);
    }
  }

  ControlSocket socket_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

std::string ask(RedisClient& client, const std::vector<std::string>& words) {
  const auto reply = client.command(words);
  return reply ? reply->text : std::string(reply.status().message());
}

RedisClient connected(const std::string& directory) {
  Result<RedisClient> client = ControlSocket::connect(directory, kTimeout);
  INFO(client.status().message());
  REQUIRE(client.ok());
  return *std::move(client);
}

}  // namespace

TEST_CASE("ControlSocket: answers requests, several in a row, of several clients, in however deep a directory") {
  const TempDirectory directory;
  const std::string deep = directory.path() + "/" + std::string(200, 'd');
  std::filesystem::create_directory(deep);
  const Serving serving(deep);
  RedisClient one = connected(deep);
  RedisClient two = connected(deep);
  CHECK(ask(one, {"NODE", "ADD"}) == "NODE.ADD.");
  CHECK(ask(two, {"CLUSTER"}) == "CLUSTER.");
  CHECK(ask(one, {"NODE", "RETIRE", "n1"}) == "NODE.RETIRE.n1.");
}

TEST_CASE("ControlSocket: only its user may connect, and its file goes with it") {
  const TempDirectory directory;
  const std::string path = directory.path() + "/up.sock";
  {
    const Serving serving(directory.path());
    struct stat found{};
    REQUIRE(::stat(path.c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_FALSE(ControlSocket::connect(directory.path(), kTimeout).ok());
  CHECK(ControlSocket::connect(directory.path() + "/nowhere", kTimeout).status().code() == ErrorCode::not_found);
}

TEST_CASE("ControlSocket: a file that somebody left behind is replaced") {
  const TempDirectory directory;
  {
    Result<ControlSocket> first = ControlSocket::open(directory.path());
    REQUIRE(first.ok());
    const Serving second(directory.path());  // takes the place of the first, as after a crash
    RedisClient client = connected(directory.path());
    CHECK(ask(client, {"A"}) == "A.");
  }
}

TEST_CASE("ControlSocket: requests too long, too many clients, and clients that say nothing are let go") {
  const TempDirectory directory;
  const Serving serving(directory.path());
  RedisClient greedy = connected(directory.path());
  CHECK_FALSE(greedy.command({std::string(5000, 'x')}).ok());
  std::vector<RedisClient> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(connected(directory.path()));
    CHECK(ask(clients.back(), {"A"}) == "A.");
  }
  RedisClient ninth = connected(directory.path());
  CHECK_FALSE(ninth.command({"A"}).ok());
  CHECK(ask(clients.front(), {"B"}) == "B.");
}

TEST_CASE("ControlSocket: a client that says nothing for long makes room") {
  const TempDirectory directory;
  Result<ControlSocket> socket = ControlSocket::open(directory.path());
  REQUIRE(socket.ok());
  const RedisClient silent = connected(directory.path());
  socket->turn(0, joined);
  CHECK(socket->awaited().size() == 2);
  socket->turn(29 * kMicrosPerSecond, joined);
  CHECK(socket->awaited().size() == 2);
  socket->turn(31 * kMicrosPerSecond, joined);
  CHECK(socket->awaited().size() == 1);
}

TEST_CASE("UpReport: is read back from its JSON") {
  const UpReport report{"127.0.0.1", {7379, 7378}, {7301}, {"n1", "n4"}};
  const auto read = parse_up(to_json(report));
  REQUIRE(read.ok());
  CHECK(*read == report);
  CHECK_FALSE(parse_up("[]").ok());
}

}  // namespace chainring::cli
