#include "router/lane.h"

#include <utility>

#include "base/check.h"

namespace chainring::router {

void Lane::open_on(ConnId conn) {
  CHECK(!open() && conn != kNoConn, "a lane is opened when it is closed");
  conn_ = conn;
}

std::vector<InFlight*> Lane::close() {
  std::vector<InFlight*> items;
  for (InFlight* item : window_) {
    if (item == nullptr) continue;
    item->lane = nullptr;
    items.push_back(item);
  }
  first_id_ += window_.size();
  window_.clear();
  conn_ = kNoConn;
  backlog_ = 0;
  return items;
}

uint64_t Lane::enter(InFlight& item) {
  CHECK(open() && item.lane == nullptr, "what is sent is not out, and has a lane to go");
  item.lane = this;
  item.id = first_id_ + window_.size();
  window_.push_back(&item);
  return item.id;
}

InFlight* Lane::take(uint64_t id) {
  if (id < first_id_ || id - first_id_ >= window_.size()) return nullptr;
  InFlight* item = std::exchange(window_[id - first_id_], nullptr);
  if (item != nullptr) item->lane = nullptr;
  while (!window_.empty() && window_.front() == nullptr) {
    window_.pop_front();
    ++first_id_;
  }
  return item;
}

}  // namespace chainring::router
