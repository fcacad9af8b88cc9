// Stand-ins for the three roles: they speak enough RESP for `up`, `status` and `reshard`, and remember what they were
// told in files of their directory.
#include <filesystem>
#include <fstream>
#include <map>

#include "base/text.h"
#include "cli/roles.h"
#include "cli/system.h"
#include "io/directory_lock.h"
#include "protocol/resp.h"
#include "tests/cli/fake_ring.h"

namespace chainring::cli {
namespace {

std::string bulk(std::string_view text) { return concat('$', text.size(), "\r\n", text, "\r\n"); }

// `up` runs a role in DIRECTORY/name/data.
std::string cluster_of(const std::string& own_directory) {
  return std::filesystem::path(own_directory).parent_path().parent_path().string();
}

class Double final : public Process {
 public:
  explicit Double(RoleParts parts)
      : parts_(std::move(parts)), ring_(cluster_of(std::string(parts_.settings.text(Setting::dir)))) {}

  Status start(Now) override {
    const std::string directory(parts_.settings.text(Setting::dir));
    if (Status made = io::make_directory(directory); !made.ok()) return made;
    if (read_file(directory + "/refuse").ok()) {
      return Status(ErrorCode::corrupt, concat("the files in ", directory, " are not mine"));
    }
    const auto port = parts_.transport.listen({std::string(parts_.settings.text(Setting::bind)),
                                               static_cast<uint16_t>(parts_.settings.number(Setting::port))});
    return port.ok() ? write_file(directory + "/started", "yes") : port.status();
  }
  void turn(Now, std::span<const NetEvent> events) override {
    for (const NetEvent& event : events) {
      if (event.kind == NetEvent::Kind::closed) parsers_.erase(event.conn);
      if (event.kind == NetEvent::Kind::input) on_input(event.conn);
    }
  }
  Micros next_wake() const override { return kNever; }
  void request_stop(Now) override { done_ = true; }
  bool finished() const override { return done_; }
  Status outcome() const override { return {}; }

 private:
  void on_input(ConnId conn) {
    protocol::RequestParser& parser = parsers_[conn];
    while (parser.parse(parts_.transport.input(conn)) == protocol::RequestParser::State::ready) {
      const bool lost = told_to("lose-request", parser.args());
      const std::string reply = lost ? "" : answer(parser.args());
      if (lost || told_to("lose-reply", parser.args())) {
        parsers_.erase(conn);
        return parts_.transport.close(conn);
      }
      parts_.transport.output(conn)->append(reply);
      parts_.transport.consume(conn, parser.size());
      parser.next();
    }
  }

  // Whether a test wants this fault, once, for a request that begins so: it has written that into a file.
  bool told_to(std::string_view fault, std::span<const std::string_view> args) {
    const std::string file = concat(parts_.settings.text(Setting::dir), '/', fault);
    const auto wanted = read_file(file);
    if (!wanted || args.size() < 2 || *wanted != concat(args[0], ' ', args[1])) return false;
    return std::filesystem::remove(file);
  }

  std::string answer(std::span<const std::string_view> args) {
    const std::string_view command = args.empty() ? "" : args[0];
    if (command == "RING" && args[1] == "SHUTDOWN") {
      const Status noted = write_file(concat(parts_.settings.text(Setting::dir), "/told-to-shut-down"), "yes");
      return noted.ok() ? "+OK\r\n" : "-ERR disk\r\n";
    }
    if (command == "RING") return ring_.answer(args);
    if (command == "SET") return value_ = args[2], "+OK\r\n";
    if (command == "GET") return bulk(value_);
    if (command == "DEL") return ":1\r\n";
    if (command == "AUTH")
      return args[1] == parts_.settings.text(Setting::requirepass) ? "+OK\r\n" : "-WRONGPASS no\r\n";
    if (command == "PING") return "+PONG\r\n";
    return "-ERR unknown command\r\n";
  }

  RoleParts parts_;
  FakeRing ring_;
  std::map<ConnId, protocol::RequestParser> parsers_;
  std::string value_;
  bool done_ = false;
};

}  // namespace

RoleFactory factory_of(Role) {
  return [](RoleParts parts) -> Result<std::unique_ptr<Process>> {
    return std::unique_ptr<Process>(new Double(std::move(parts)));
  };
}

}  // namespace chainring::cli
