#include "router/lane.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace chainring::router {

void Lane::open_on(ConnId conn) {
  CHECK(!open() && conn != kNoConn, "a lane is opened when it is closed");
  conn_ = conn;
}

std::vector<InFlight*> Lane::close() {
  std::vector<InFlight*> items = in_flight();
  for (InFlight* const item : items) item->lane = nullptr;
  first_id_ += window_.size();
  window_.clear();
  conn_ = kNoConn;
  backlog_ = 0;
  owed_ = 0;
  silent_ = false;
  return items;
}

uint64_t Lane::enter(InFlight& item) {
  CHECK(open() && item.lane == nullptr, "what is sent is not out, and has a lane to go");
  item.lane = this;
  item.id = first_id_ + window_.size();
  window_.push_back(&item);
  if (owed_++ == 0) stirred_ = true;
  return item.id;
}

InFlight* Lane::take(uint64_t id) {
  if (owed_ > 0) --owed_;
  stirred_ = true;
  silent_ = false;
  return remove(id);
}

void Lane::forget(InFlight& item) {
  CHECK(item.lane == this, "what is forgotten is out here");
  static_cast<void>(remove(item.id));
}

std::vector<InFlight*> Lane::in_flight() const {
  std::vector<InFlight*> items;
  std::copy_if(window_.begin(), window_.end(), std::back_inserter(items), [](InFlight* one) { return one != nullptr; });
  return items;
}

bool Lane::look(Micros now) {
  if (stirred_ || owed_ == 0) quiet_since_ = now;
  stirred_ = false;
  if (now < next_look()) return false;
  quiet_since_ = now;
  silent_ = true;
  return true;
}

InFlight* Lane::remove(uint64_t id) {
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
