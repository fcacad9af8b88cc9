// The sending side of joining (R17): a slot's tail copies it to learners while the chain serves.
//
// One ordered stream for each slot and learner, from when the learner has asked for it: who has not heard yet that it
// is one would drop what comes. First parts: keys as the walk over the slot comes to them, and in between what the
// learner has to be told of records that came meanwhile. Then the end, with what settles retries (R20). From then on
// the learner *follows*: it gets each record, and those that it has not acknowledged are kept for it. A stream begins
// again when the link broke, or when more would have to be kept, or to wait for the link, than the limits allow; its
// owner ends it when the epoch or the tail changes.
//
// Pure: the keys are behind CopyContent, messages come out. Thread-safety: none; one owner. The content is not owned
// and outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/time.h"
#include "engine/copying_cursor.h"
#include "node/stored_record.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace chainring::node {

// What the copy is made of: engine/copying.h.
class CopyContent {
 public:
  virtual ~CopyContent() = default;
  virtual uint32_t copy_out(Slot slot, engine::CopyCursor& cursor, size_t bytes_max, std::string& effects) = 0;
  virtual void copy_effects(Slot slot, engine::CopyCursor& cursor, std::string_view record_effects,
                            std::string& out) = 0;
};

class CopySource {
 public:
  // Of one learner; beyond it the stream begins again.
  static constexpr size_t kKeptBytesMax = size_t{16} << 20;
  // Of all learners together.
  static constexpr size_t kKeptBytesInAllMax = size_t{256} << 20;
  // What one learner is told of records while its link takes nothing more of a copy; beyond it the streams that tell it
  // begin again, and so wait until the link does.
  static constexpr size_t kToldBytesMax = size_t{16} << 20;
  static constexpr size_t kPartBytes = size_t{16} << 10;

  struct Message {
    MemberId to = kNoMember;
    protocol::FrameType type = protocol::FrameType::copy_part;
    std::string payload;
  };
  // Where a slot stands: what the end of a stream says.
  struct Standing {
    Sequence applied = 0;
    Millis time = 0;
    std::vector<protocol::SenderRecord> senders;
    Micros senders_forgotten_for = 0;
  };

  explicit CopySource(CopyContent& content) : content_(content) {}

  // To whom this member, as the tail under `epoch`, copies the slot: others are forgotten, new ones begin.
  void want(Slot slot, Epoch epoch, std::span<const MemberId> learners);
  // Whether the slot is copied to anybody.
  [[nodiscard]] bool copies(Slot slot) const;
  // All learners, ascending, each once.
  [[nodiscard]] std::vector<MemberId> learners() const;

  // A learner asks for the slot, which it is to learn since that table. When that is a later one than it asked by
  // before, it has forgotten all that it was sent.
  void asked(Slot slot, Epoch epoch, MemberId learner, TableVersion since);

  // A record that is in the content now. Those who follow are to be sent it: `follower(member)` is called for each.
  void applied(const StoredRecord& record, std::string_view effects, const std::function<void(MemberId)>& follower);

  // What a learner says that it holds of a slot that it follows. Whether it is one under that epoch.
  bool acknowledged(Slot slot, Epoch epoch, MemberId from, Sequence applied);
  // The records that are kept for a learner of a slot; nullptr when none are.
  [[nodiscard]] const Fifo<StoredRecord>* kept(Slot slot, MemberId learner) const;
  // The link to a learner is up again, and what was on its way is lost: its streams begin anew, but for slots that are
  // `frozen(slot)`, in a barrier, whose kept records may be asked for.
  void link_up(MemberId learner, const std::function<bool(Slot)>& frozen);

  // Goes on with the copying, for about `bytes_max`. `room(member)` is how much the link to it can take now, 0 when it
  // is down.
  void work(size_t bytes_max, const std::function<size_t(MemberId)>& room,
            const std::function<Standing(Slot)>& standing);
  // Whether work() would find something to send if there was room.
  [[nodiscard]] bool has_work() const { return has_work_; }
  [[nodiscard]] std::vector<Message> take_messages();

  [[nodiscard]] uint64_t bytes_sent() const { return bytes_sent_; }
  [[nodiscard]] uint64_t keys_sent() const { return keys_sent_; }
  [[nodiscard]] size_t kept_bytes() const { return kept_bytes_; }

 private:
  struct Stream {
    Epoch epoch = 0;
    TableVersion asked_since = 0;  // 0: not asked for yet
    uint64_t id = 0;
    uint64_t next_part = 0;
    bool follows = false;  // its end has been sent
    engine::CopyCursor cursor;
    Fifo<StoredRecord> kept;  // that the learner has not acknowledged, from its end on
    size_t kept_bytes = 0;
  };
  using Key = std::pair<Slot, MemberId>;
  using Streams = std::map<Key, Stream>;

  void begin(Stream& stream);
  void forget_kept(Stream& stream);
  Streams::iterator erase(Streams::iterator at);
  void tell(const Key& key, Stream& stream, std::string_view effects);
  void send_parts(const Key& key, Stream& stream, std::string_view effects, uint32_t keys);
  void send_end(const Key& key, Stream& stream, Standing standing);
  [[nodiscard]] Streams::const_iterator first_of(Slot slot) const { return streams_.lower_bound({slot, 0}); }

  CopyContent& content_;
  Streams streams_;
  std::vector<Message> messages_;
  std::map<MemberId, size_t> told_;  // bytes, since the link to the learner last had room
  size_t unfinished_ = 0;            // streams that have not ended
  bool has_work_ = false;
  Key next_{};  // where work() goes on
  uint64_t last_stream_ = 0;
  size_t kept_bytes_ = 0;
  uint64_t bytes_sent_ = 0;
  uint64_t keys_sent_ = 0;
};

}  // namespace chainring::node
