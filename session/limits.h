// Numbers that the parts of the Session share.
#pragma once

#include <cstddef>

namespace chainring::session {

// A client that leaves so many bytes of replies unread gets nothing more executed until it reads, whatever
// client-output-buffer-limit allows.
inline constexpr size_t kOutputBytesSoftMax = size_t{32} * 1024 * 1024;

}  // namespace chainring::session
