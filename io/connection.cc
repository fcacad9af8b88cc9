#include "io/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace chainring::io {
namespace {

constexpr size_t kReadBytesMin = kBlockBytesMin;
constexpr size_t kReadBytesMax = kBlockBytesMax;  // of one connection in one turn, so that others get theirs

// recv() with the outcome in words; `count` is valid for Received::bytes.
Connection::Received receive_into(int fd, char* at, size_t size, size_t& count) {
  ssize_t got = 0;
  do {
    got = ::recv(fd, at, size, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    count = static_cast<size_t>(got);
    return Connection::Received::bytes;
  }
  const bool empty = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  return empty ? Connection::Received::nothing : Connection::Received::end;
}

}  // namespace

Connection::Received Connection::receive(BlockPool& pool) {
  const ReadBuffer::Space space = input.make_space(wanted_space(), pool);
  const size_t asked = std::min(space.size, kReadBytesMax);
  size_t count = 0;
  const Received received = receive_into(fd.number(), space.at, asked, count);
  if (received != Received::bytes) return received;
  input.received(count);
  if (count == asked) {
    read_bytes_ = std::min(2 * read_bytes_, kReadBytesMax);
  } else if (count < read_bytes_ / 4) {
    read_bytes_ = std::max(read_bytes_ / 2, kReadBytesMin);
  }
  return received;
}

Connection::Received Connection::discard() {
  char unwanted[64 * 1024];
  size_t count = 0;
  return receive_into(fd.number(), unwanted, sizeof unwanted, count);
}

Connection::Sent Connection::send() {
  ssize_t taken = 0;
  do {
    taken = ::send(fd.number(), output.data() + sent, unsent(), MSG_NOSIGNAL);
  } while (taken < 0 && errno == EINTR);
  if (taken < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Sent::failed;
    system_is_full_ = true;
    return Sent::part;
  }
  sent += static_cast<size_t>(taken);
  if (system_is_full_) sent_late_ += static_cast<uint64_t>(taken);
  system_is_full_ = unsent() > 0;
  if (!system_is_full_) return Sent::all;
  if (sent >= output.size() / 2) {  // moves at most as many bytes as have left
    output.erase(0, sent);
    sent = 0;
  }
  return Sent::part;
}

}  // namespace chainring::io
