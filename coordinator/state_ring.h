// The replicated part of the ring: members, the table in force, what is intended, epochs and versions (R1, R14, R18,
// R32).
//
// Pure and deterministic: the same entries in the same order give the same state on every coordinator.
// Thread-safety: none; one owner. Lifetime: references into it are valid until the next apply() or assignment.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "coordinator/entries.h"
#include "coordinator/ranges.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

inline constexpr size_t kMembersMax = 4096;    // listed and not gone; more are not registered
inline constexpr size_t kGoneMembersMax = 64;  // remembered although no chain names them, so that they stay refused

struct Member {
  protocol::TableMember listed;
  TableVersion must_obey = 0;  // of the last intention that named it: no lease before it has obeyed that (R4)
  template <class A>
  void fields(A& a) {
    a(listed, must_obey);
  }
  [[nodiscard]] bool gone() const { return listed.state == protocol::MemberState::gone; }
};

class RingState {
 public:
  // Each changes the version when it changes anything that a table says.
  void apply(const FoundEntry& entry);
  void apply(const SettingsEntry& entry);
  void apply(const RegisterEntry& entry);
  void apply(const MemberStatesEntry& entry);
  void apply(const IntentionEntry& entry);
  void apply(const ActivationEntry& entry);
  void apply(const ShutdownEntry& entry);

  [[nodiscard]] bool founded() const { return cluster_id_ != 0; }
  [[nodiscard]] uint64_t cluster_id() const { return cluster_id_; }
  [[nodiscard]] uint64_t generation() const { return generation_; }
  [[nodiscard]] uint64_t hash_seed() const { return hash_seed_; }
  [[nodiscard]] uint32_t copies() const { return copies_; }
  [[nodiscard]] const std::vector<std::string>& lock_prefixes() const { return lock_prefixes_; }
  [[nodiscard]] const SettingsEntry& settings() const { return settings_; }

  [[nodiscard]] TableVersion version() const { return version_; }
  // The version at which chains or intentions last changed.
  [[nodiscard]] TableVersion ranges_version() const { return ranges_version_; }
  [[nodiscard]] const Ranges& ranges() const { return ranges_; }
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }  // by ascending id
  [[nodiscard]] const Member* member(MemberId id) const;                         // nullptr when not listed
  [[nodiscard]] const Member* find(Incarnation incarnation) const;
  // Whether a later incarnation of the same name has registered.
  [[nodiscard]] bool superseded(const Member& member) const;
  [[nodiscard]] bool in_any_chain(MemberId id) const;  // in force or intended
  [[nodiscard]] bool full() const;                     // no more members can register

  // Whether the cluster was stopped in order and no table has been made since (R32); members that registered up to
  // stopped_before() belong to the time before.
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] MemberId stopped_before() const { return stopped_before_; }
  // How many members the chains in force name.
  [[nodiscard]] size_t placed_count() const;

  // What nodes and routers get.
  [[nodiscard]] protocol::TableMessage table() const;

  template <class A>
  void fields(A& a) {
    a(cluster_id_, generation_, hash_seed_, copies_, lock_prefixes_, settings_, version_, ranges_version_, epochs_,
      next_member_, stopped_, stopped_before_, members_, ranges_);
  }

 private:
  Member* mutable_member(MemberId id);
  [[nodiscard]] bool well_formed(const IntentionEntry& entry) const;
  void begin_again();
  void forget_gone();

  uint64_t cluster_id_ = 0;
  uint64_t generation_ = 0;
  uint64_t hash_seed_ = 0;
  uint32_t copies_ = 0;
  std::vector<std::string> lock_prefixes_;
  SettingsEntry settings_;

  TableVersion version_ = 0;
  TableVersion ranges_version_ = 0;
  Epoch epochs_ = 0;  // the last one given
  MemberId next_member_ = 1;
  bool stopped_ = false;
  MemberId stopped_before_ = kNoMember;
  std::vector<Member> members_;
  Ranges ranges_;
};

}  // namespace chainring::coordinator
