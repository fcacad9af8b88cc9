// Golden transcripts: a file of commands to a CoreGroup, each followed by what the servers then said and did.
//
//   # a comment
//   > group 3 [LIMIT=N ...]       servers 1..3 found a group; limits: append_bytes, in_flight, chunk_bytes, lag
//   > blank ID                    a server without a log
//   > timeout ID                  its clock moves by the longest election timeout; then it flushes
//   > elapse ID MS                the same by so many milliseconds
//   > propose ID TEXT | change ID VOTERS [LEARNERS] | read ID CONTEXT | transfer ID TO | note ID VALUE | compact ID
//   BASE
//                                 without a flush, so that several can share one; prints a refusal
//   > flush ID | deliver ID       deliver: what waits for it is stepped first
//   > settle [without ID ...]     deliver round and round; messages from and to those servers are lost
//   > drop ID                     what waits for it is lost
//   > restart ID                  begins again from what was flushed
//   > status                      a line for each server
//
// With CHAINRING_REWRITE set in the environment the test writes the file anew; read the difference before committing
// it. Thread-safety: none.
#pragma once

#include <string>
#include <string_view>

namespace chainring::raft::testing {

// The same file with the answers as they are now. A command that is not understood answers "unknown command".
[[nodiscard]] std::string replay_transcript(std::string_view file);

}  // namespace chainring::raft::testing
