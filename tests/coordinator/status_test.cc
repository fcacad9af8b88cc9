#include "coordinator/status.h"
#include "coordinator/json.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

// Three nodes; slots 0 to 99 are changing, member 3 has no lease.
struct StatusFixture : RingFixture {
  StatusFixture() : RingFixture(3) {
    place({1, 2, 3});
    intend({{0, 99, {1, 2}}});
    facts.leader = "c1";
    facts.term = 4;
    facts.coordinators = {{"c1", "127.0.0.1", 7301, "leader", 12, 0}, {"c2", "127.0.0.1", 7302, "unreachable", 9, -1}};
    facts.lease_ms = {430, 20, 0};
    facts.renewed = {true, false, true};
    facts.routers = {{"r1", "127.0.0.1", 7379, ring.version(), 40}};
    facts.lock_count = 2;
    facts.lock_token = 77;
  }
  StatusFacts facts;
};

TEST_CASE("status_json: the documented object, word for word") {
  StatusFixture f;
  REQUIRE(
      status_json(f.ring, f.facts) ==
      R"({"cluster_id":"c1","generation":1,"version":7,"leader":"c1","term":4,"copies":3,)"
      R"("coordinators":[{"name":"c1","host":"127.0.0.1","port":7301,"state":"leader","applied":12,"last_heard_ms":0,)"
      R"("voter":true},)"
      R"({"name":"c2","host":"127.0.0.1","port":7302,"state":"unreachable","applied":9,"last_heard_ms":-1,)"
      R"("voter":true}],)"
      R"("members":[{"id":1,"name":"n1","incarnation":"65","host":"host-n1","port":7401,"state":"up",)"
      R"("lease_ms":430,"renewed":true,"head_slots":16384,"slots":16384,"weight":100,"placed":true,)"
      R"("failure_host":"host-n1","zone":""},)"
      R"({"id":2,"name":"n2","incarnation":"66","host":"host-n2","port":7401,"state":"up","lease_ms":20,)"
      R"("renewed":false,"head_slots":0,"slots":16384,"weight":100,"placed":true,"failure_host":"host-n2","zone":""},)"
      R"({"id":3,"name":"n3","incarnation":"67","host":"host-n3","port":7401,"state":"up","lease_ms":0,)"
      R"("renewed":true,"head_slots":0,"slots":16384,"weight":100,"placed":true,"failure_host":"host-n3","zone":""}],)"
      R"("routers":[{"name":"r1","host":"127.0.0.1","port":7379,"version":7,"last_heard_ms":40}],)"
      R"("slots":{"assigned":16384,"served":0,"changing":100,"lost":0,"standing":0,"short":0},)"
      R"("ranges":[{"first":0,"last":99,"epoch":1,"chain":["n1","n2","n3"],"next_epoch":2,"next_chain":["n1","n2"],)"
      R"("goal":[]},)"
      R"({"first":100,"last":16383,"epoch":1,"chain":["n1","n2","n3"],"next_epoch":0,"next_chain":[],)"
      R"("goal":[]}],"reshard":{"state":"moving","change":"","slots_total":0,"slots_left":0,"copying":0,)"
      R"("keys_copied":0,)"
      R"("bytes_copied":0,"running_ms":0,"trouble":""},)"
      R"("locks":{"count":2,"token":77}})");
}

TEST_CASE("count_slots: lost, short, and served only with all leases") {
  StatusFixture f;
  f.facts.lease_ms = {1, 1, 1};
  REQUIRE(count_slots(f.ring, f.facts.lease_ms).served == kSlotCount - 100);
  f.activate(f.ring.ranges()[0].next_epoch);
  SlotCounts counts = count_slots(f.ring, f.facts.lease_ms);
  REQUIRE(counts.changing == 0);
  REQUIRE(counts.short_of == 100);
  REQUIRE(counts.served == kSlotCount);
  for (const MemberId member : {1u, 2u}) f.set_state(member, protocol::MemberState::gone);
  counts = count_slots(f.ring, f.facts.lease_ms);
  REQUIRE(counts.lost == 100);
  REQUIRE(counts.standing == 0);
  counts = count_slots(f.ring, {0, 0, 0});
  REQUIRE(counts.lost == 100);
  REQUIRE(counts.standing == kSlotCount - 100);
  REQUIRE(count_slots(RingState(), {}).assigned == 0);
}

TEST_CASE("status_text: a line for everybody, and for every change under way") {
  StatusFixture f;
  const std::string text = status_text(f.ring, f.facts);
  for (const char* part :
       {"cluster c1 generation 1, table version 7, copies 3", "100 changing", "leader c1, term 4",
        "c2 127.0.0.1:7302 unreachable, log 9, never heard", "2 n2 host-n2:7401 up, lease 20 ms",
        "r1 127.0.0.1:7379 table 7, heard 40 ms ago", "slots 0-99: n1 > n2 > n3 (epoch 1) to n1 > n2 (epoch 2)"}) {
    CAPTURE(part, text);
    REQUIRE(text.find(part) != std::string::npos);
  }
}

TEST_CASE("JsonWriter: texts are escaped, values are separated") {
  JsonWriter json;
  json.begin_array().text("a\"b\\c\n\x01\xc3\xa9").number(-5).begin_object().end_object();
  json.begin_object().key("k").begin_array().end_array().key("l").number(0).end_object().end_array();
  REQUIRE(std::move(json).take() == "[\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9\",-5,{},{\"k\":[],\"l\":0}]");
}

}  // namespace
}  // namespace chainring::coordinator
