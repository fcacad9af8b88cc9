// One socket of the Network with its buffers. Internal to io.
//
// Thread-safety: none; belongs to its Network.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/time.h"
#include "base/transport.h"
#include "io/fd.h"
#include "io/read_buffer.h"

struct event;

namespace chainring::io {

class Network;

struct EventDeleter {
  void operator()(event* handle) const;
};
using EventHandle = std::unique_ptr<event, EventDeleter>;

class Connection {
 public:
  enum class State {
    connecting,
    open,
    flushing,   // close_after_flush(): output is leaving
    lingering,  // all has left; what still comes is thrown away, so that no reset overtakes the last reply
    closed,     // kept until the end of the turn for views of its input
  };
  enum class Received { bytes, nothing, end };
  enum class Sent { all, part, failed };

  Connection(Network& network, ConnId own_id, Fd socket, std::string peer, State first_state)
      : owner(network), id(own_id), fd(std::move(socket)), peer_name(std::move(peer)), state(first_state) {}

  // Whether its process may still use the id.
  [[nodiscard]] bool alive() const { return state == State::open || state == State::connecting; }
  [[nodiscard]] size_t unsent() const { return output.size() - sent; }
  // How much memory the next receive() may add to the input's.
  [[nodiscard]] size_t growth() const { return input.capacity_for(wanted_space()) - input.capacity(); }

  // One recv() into the input, of as much as this connection has lately been filling.
  Received receive(BlockPool& pool);
  // One recv() of bytes that nobody wants.
  Received discard();
  // One send() of all that waits.
  Sent send();
  // See Transport::sent_late().
  [[nodiscard]] uint64_t sent_late() const { return sent_late_; }

  Network& owner;
  const ConnId id;
  Fd fd;
  const std::string peer_name;
  State state;
  EventHandle read_event;
  EventHandle write_event;  // made when output could not leave at once
  ReadBuffer input;
  std::string output;  // from `sent` on it waits
  size_t sent = 0;
  Micros deadline = kNever;  // of connecting, flushing and lingering
  bool reading = true;
  bool in_flush_list = false;
  bool in_emptied_list = false;
  bool awaits_drained = false;  // more than kOutputLowWater has waited
  bool writable_wanted = false;
  bool peer_ended = false;        // seen while flushing
  uint64_t input_event_turn = 0;  // the turn for which an `input` event is queued already

 private:
  [[nodiscard]] size_t wanted_space() const { return input.size() == 0 ? read_bytes_ : read_bytes_ / 4; }

  size_t read_bytes_ = kBlockBytesMin;
  uint64_t sent_late_ = 0;
  bool system_is_full_ = false;  // as of the last send()
};

}  // namespace chainring::io
