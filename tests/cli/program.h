// Runs the program under test as a child and watches what it says.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/fd.h"

// clang-format off
#include <catch2/catch.hpp>  // last: it has a CHECK of its own
// clang-format on

namespace chainring::cli {

class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments);
  ~Program();  // kills it if it still runs

  // Reads both outputs until `holds`; false when the program ends or half a minute passes before.
  bool until(const std::function<bool()>& holds);
  void signal(int number);
  // Its exit status; 128 and the signal when one ended it.
  int wait();

  [[nodiscard]] pid_t pid() const { return pid_; }
  std::string out;
  std::string err;

 private:
  bool read_some(int wait_ms);  // false when both outputs have ended

  pid_t pid_ = 0;
  io::Fd out_fd_;
  io::Fd err_fd_;
};

// Runs it to its end. The exit status and what it said.
struct Finished {
  int status;
  std::string out;
  std::string err;
};
[[nodiscard]] Finished run_program(const std::vector<std::string>& arguments);

// A directory that goes with the test.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Asks again and again for up to half a minute.
[[nodiscard]] bool eventually(const std::function<bool()>& holds);

[[nodiscard]] bool contains(std::string_view text, std::string_view part);

}  // namespace chainring::cli
