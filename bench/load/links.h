// Pipelined connections to servers: requests go out, and each comes back as answered or as lost.
//
// Each server has a number of lanes, a connection each, which is made when something is to be sent and made again after
// it broke. Answers on one lane come in the order of the requests.
// Thread-safety: none; belongs to one Process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fifo.h"
#include "base/time.h"
#include "base/transport.h"
#include "bench/load/topology.h"
#include "protocol/resp.h"

namespace chainring::load {

using Tag = uint32_t;  // of a request, chosen by who sends it

// A connection that failed is not tried again for so long; requests fail at once meanwhile.
inline constexpr Micros kRedialPause = 10 * kMicrosPerMilli;

struct Lane {
  Server server = 0;
  uint16_t number = 0;
  friend bool operator==(const Lane&, const Lane&) = default;
};

// Called in handle() and abort(). May send(), but not abort().
class LinkUser {
 public:
  virtual ~LinkUser() = default;
  virtual void answered(Tag tag, Lane lane, const protocol::ReplyValue& reply) = 0;
  // The connection broke, or could not be made; nobody knows what became of the request.
  virtual void lost(Tag tag, Lane lane) = 0;
};

class Links {
 public:
  // `transport`, `topology` and `user` outlive it. With a password every connection begins with AUTH.
  Links(Transport& transport, const Topology& topology, LinkUser& user, std::string password);

  // False: the lane has just failed, and nothing was sent. `asking`: behind ASKING, as ASK wants it.
  [[nodiscard]] bool send(Lane lane, Tag tag, std::string_view request, bool asking, Micros now);
  // Breaks the connection: all that was sent on it is lost, the user is told.
  void abort(Lane lane, Micros now);
  // Returns whether the event is about a connection from here.
  bool handle(const NetEvent& event, Micros now);

 private:
  // Of what the links send for themselves; the reply is dropped.
  static constexpr Tag kOwn = UINT32_MAX;

  struct Link {
    ConnId conn = kNoConn;
    Micros not_before = 0;
    Fifo<Tag> sent;
  };
  [[nodiscard]] Link& link(Lane lane);
  [[nodiscard]] bool open(Lane lane, Link& link, Micros now);
  void read(Lane lane);
  void fail(Lane lane, Micros now);

  Transport& transport_;
  const Topology& topology_;
  LinkUser& user_;
  const std::string password_;
  std::vector<std::vector<Link>> links_;  // by server, then lane
  std::unordered_map<ConnId, Lane> lanes_;
};

}  // namespace chainring::load
