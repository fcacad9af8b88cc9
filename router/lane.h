// What is on its way on one link: which reply belongs to which request, and how the other end keeps up with answering.
//
// Thread-safety: none. Ownership: owns neither the connection nor what is in flight on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/fifo.h"
#include "base/time.h"
#include "base/transport.h"
#include "protocol/frame.h"
#include "router/outstanding.h"

namespace chainring::router {

class Lane {
 public:
  // Whoever owes answers and gives none for so long is silent: frozen, cut off, or at something long.
  static constexpr Micros kSilentAfter = 50 * kMicrosPerMilli;

  // `member` is kNoMember for the lane to the coordinators' leader.
  Lane(Transport& transport, MemberId member) : transport_(transport), member_(member) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  [[nodiscard]] MemberId member() const { return member_; }
  [[nodiscard]] bool open() const { return conn_ != kNoConn; }
  [[nodiscard]] ConnId conn() const { return conn_; }

  // The handshake on `conn` is done. REQUIRES: !open().
  void open_on(ConnId conn);
  // The connection is gone: returns what was in flight, in the order in which it was sent, and forgets it.
  [[nodiscard]] std::vector<InFlight*> close();

  // Gives `item` the next id, which `header` then carries, and sends the frame. REQUIRES: open(), !item.lane.
  template <class Header>
  void send(InFlight& item, protocol::FrameType type, Header& header, std::string_view tail) {
    header.id = enter(item);
    std::string* out = transport_.output(conn_);
    if (out == nullptr) return;  // dead already: close() follows and gives the item back
    protocol::append_frame(*out, type, header, tail);
    backlog_ = out->size();
  }

  // The item that a reply names; it is not in flight any more. nullptr for an id that was forgotten or never given.
  [[nodiscard]] InFlight* take(uint64_t id);
  // Its reply will be ignored. REQUIRES: item.lane == this.
  void forget(InFlight& item);
  [[nodiscard]] std::vector<InFlight*> in_flight() const;  // in the order in which they were sent

  // Answers that the other end owes, also to what was forgotten: its load, as far as this router can tell.
  [[nodiscard]] size_t owed() const { return owed_; }
  // Has been found silent, and has answered nothing since.
  [[nodiscard]] bool silent() const { return silent_; }
  // To be called once a turn, after the turn's replies were taken. Whether it is silent: said again every kSilentAfter.
  [[nodiscard]] bool look(Micros now);
  [[nodiscard]] Micros next_look() const { return owed_ == 0 ? kNever : quiet_since_ + kSilentAfter; }

  // Bytes that waited to leave, as of the last send(); and as of now.
  [[nodiscard]] size_t backlog() const { return backlog_; }
  [[nodiscard]] size_t unsent() const { return open() ? transport_.unsent(conn_) : 0; }

 private:
  uint64_t enter(InFlight& item);
  InFlight* remove(uint64_t id);

  Transport& transport_;
  const MemberId member_;
  ConnId conn_ = kNoConn;
  size_t backlog_ = 0;
  Fifo<InFlight*> window_;  // by id, from first_id_; nullptr for what was answered out of order
  uint64_t first_id_ = 1;
  size_t owed_ = 0;
  Micros quiet_since_ = 0;  // the turn that saw its last answer, or the first request after it owed nothing
  bool stirred_ = false;    // such a thing has happened since the last look()
  bool silent_ = false;
};

}  // namespace chainring::router
