#include "node/copy_source.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/copying.h"
#include "node/sender_log.h"

namespace chainring::node {

// The end of a stream fits a frame: each answer is a number, a sequence and the length of its reply beside that.
static_assert(SenderLog::kSendersMax * (SenderLog::kRepliesBytesMax + SenderLog::kAnswersMax * 32 + 64) <
              protocol::kFramePayloadMax);

void CopySource::begin(Stream& stream) {
  forget_kept(stream);
  if (stream.id == 0 || stream.follows) ++unfinished_;
  stream.id = ++last_stream_;
  stream.next_part = 0;
  stream.follows = false;
  stream.cursor = {};
}

void CopySource::forget_kept(Stream& stream) {
  kept_bytes_ -= std::exchange(stream.kept_bytes, 0);
  stream.kept.clear();
}

CopySource::Streams::iterator CopySource::erase(Streams::iterator at) {
  forget_kept(at->second);
  if (!at->second.follows) --unfinished_;
  return streams_.erase(at);
}

void CopySource::want(Slot slot, Epoch epoch, std::span<const MemberId> learners) {
  for (auto at = streams_.lower_bound({slot, 0}); at != streams_.end() && at->first.first == slot;) {
    const bool wanted =
        at->second.epoch == epoch && std::find(learners.begin(), learners.end(), at->first.second) != learners.end();
    at = wanted ? std::next(at) : erase(at);
  }
  for (const MemberId learner : learners) {
    const auto [at, fresh] = streams_.try_emplace({slot, learner});
    if (!fresh) continue;
    at->second.epoch = epoch;
    begin(at->second);
  }
}

bool CopySource::copies(Slot slot) const {
  const auto at = first_of(slot);
  return at != streams_.end() && at->first.first == slot;
}

std::vector<MemberId> CopySource::learners() const {
  std::vector<MemberId> learners;
  for (const auto& [key, stream] : streams_) {
    if (std::find(learners.begin(), learners.end(), key.second) == learners.end()) learners.push_back(key.second);
  }
  std::sort(learners.begin(), learners.end());
  return learners;
}

void CopySource::asked(Slot slot, Epoch epoch, MemberId learner, TableVersion since) {
  const auto at = streams_.find({slot, learner});
  if (at == streams_.end() || at->second.epoch != epoch || at->second.asked_since >= since) return;
  if (std::exchange(at->second.asked_since, since) != 0) begin(at->second);
}

void CopySource::applied(const StoredRecord& record, std::string_view effects,
                         const std::function<void(MemberId)>& follower) {
  const Slot slot = record.head.slot;
  for (auto at = streams_.lower_bound({slot, 0}); at != streams_.end() && at->first.first == slot; ++at) {
    Stream& stream = at->second;
    if (!stream.follows) {
      if (stream.next_part != 0) tell(at->first, stream, effects);  // else nothing has been sent yet
      continue;
    }
    if (stream.kept_bytes + record.bytes() > kKeptBytesMax || kept_bytes_ + record.bytes() > kKeptBytesInAllMax) {
      begin(stream);
      continue;
    }
    stream.kept.push_back(record);
    stream.kept_bytes += record.bytes();
    kept_bytes_ += record.bytes();
    follower(at->first.second);
  }
}

// The walk waits for room on the link; what is told of records has to come in its order, and cannot.
void CopySource::tell(const Key& key, Stream& stream, std::string_view effects) {
  size_t& told_bytes = told_[key.second];
  if (told_bytes > kToldBytesMax) return begin(stream);
  std::string told;
  content_.copy_effects(key.first, stream.cursor, effects, told);
  told_bytes += told.size();
  send_parts(key, stream, told, 0);
}

bool CopySource::acknowledged(Slot slot, Epoch epoch, MemberId from, Sequence applied) {
  const auto at = streams_.find({slot, from});
  if (at == streams_.end() || at->second.epoch != epoch) return false;
  Stream& stream = at->second;
  while (!stream.kept.empty() && stream.kept.front().head.sequence <= applied) {
    const size_t bytes = stream.kept.front().bytes();
    stream.kept_bytes -= bytes;
    kept_bytes_ -= bytes;
    stream.kept.pop_front();
  }
  return true;
}

const Fifo<StoredRecord>* CopySource::kept(Slot slot, MemberId learner) const {
  const auto at = streams_.find({slot, learner});
  return at == streams_.end() ? nullptr : &at->second.kept;
}

void CopySource::link_up(MemberId learner, const std::function<bool(Slot)>& frozen) {
  for (auto& [key, stream] : streams_) {
    if (key.second == learner && !frozen(key.first)) begin(stream);
  }
}

void CopySource::work(size_t bytes_max, const std::function<size_t(MemberId)>& room,
                      const std::function<Standing(Slot)>& standing) {
  has_work_ = false;
  if (unfinished_ == 0) return told_.clear();
  std::erase_if(told_, [&](const auto& told) { return room(told.first) != 0; });
  const uint64_t enough = bytes_sent_ + bytes_max;
  std::map<MemberId, uint64_t> full_at;  // by member: bytes_sent_ at which its link has no more room
  const auto has_room = [&](MemberId member) {
    const auto [at, fresh] = full_at.try_emplace(member, 0);
    if (fresh) {
      const size_t bytes = room(member);
      at->second = bytes == 0 ? 0 : bytes_sent_ + bytes;
    }
    return bytes_sent_ < at->second;
  };
  std::string effects;
  auto at = streams_.lower_bound(next_);
  for (size_t looked_at = 0; looked_at < streams_.size() && bytes_sent_ < enough; ++looked_at) {
    if (at == streams_.end()) at = streams_.begin();
    auto& [key, stream] = *at;
    while (stream.asked_since != 0 && !stream.follows && bytes_sent_ < enough && has_room(key.second)) {
      effects.clear();
      const uint32_t keys = content_.copy_out(key.first, stream.cursor, kPartBytes, effects);
      send_parts(key, stream, effects, keys);
      if (stream.cursor.at_end()) send_end(key, stream, standing(key.first));
    }
    has_work_ = has_work_ || (stream.asked_since != 0 && !stream.follows);
    if (!stream.follows && bytes_sent_ >= enough) break;  // goes on here
    ++at;
  }
  has_work_ = has_work_ || (unfinished_ != 0 && bytes_sent_ >= enough);  // among those that were not looked at
  next_ = at == streams_.end() ? Key{} : at->first;
}

void CopySource::send_parts(const Key& key, Stream& stream, std::string_view effects, uint32_t keys) {
  if (effects.empty() && stream.next_part != 0) return;
  do {
    const size_t size = engine::whole_effects(effects, engine::kCopyPieceBytes);
    protocol::CopyPart part{key.first, stream.epoch, stream.id, stream.next_part++, keys};
    keys = 0;
    Message& message = messages_.emplace_back();
    message.to = key.second;
    ByteWriter writer(message.payload);
    writer(part);
    writer.raw(effects.substr(0, size));
    keys_sent_ += part.keys;
    bytes_sent_ += message.payload.size();
    effects.remove_prefix(size);
  } while (!effects.empty());
}

void CopySource::send_end(const Key& key, Stream& stream, Standing standing) {
  protocol::CopyEnd end;
  end.slot = key.first;
  end.epoch = stream.epoch;
  end.stream = stream.id;
  end.part = stream.next_part++;
  end.sequence = standing.applied;
  end.time = standing.time;
  end.senders = std::move(standing.senders);
  end.forgotten_us = standing.senders_forgotten_for;
  messages_.push_back({key.second, protocol::FrameType::copy_end, encode(end)});
  bytes_sent_ += messages_.back().payload.size();
  stream.follows = true;
  --unfinished_;
}

std::vector<CopySource::Message> CopySource::take_messages() { return std::exchange(messages_, {}); }

}  // namespace chainring::node
