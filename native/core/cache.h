// Files in the cache folder that save work from one process to the next, for both backends. Losing
// them costs time and, where timings choose an algorithm, may change the last bits of results;
// nothing else, so a folder that cannot be used is no error.
//
// Every file is sealed with the hash of its content, written beside its final name, synced and
// renamed, so that a reader sees all of it or nothing. Writers wait for each other, five seconds
// at most: a process that cannot have the lock goes on by itself.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace gapcam {

// The content of a file, or "" where there is none or it is damaged.
std::string read_sealed(const std::string &name);
void write_sealed(const std::string &name, const std::string &content);

// What was chosen, by key, remembered in the process and in one file that all processes share. Keys
// and values hold no quotes, backslashes or control characters; values are not empty. May be used
// from any thread.
class ChoiceTable {
 public:
  explicit ChoiceTable(std::string file) : file_(std::move(file)) {}

  // What is remembered for `key`, or "".
  std::string find(const std::string &key);

  // Remembers `value` for `key`. Where another process was first, its value stays and is given
  // back, so that all make the same choice, unless it is `unusable`.
  std::string keep(const std::string &key, const std::string &value,
                   const std::string &unusable = "");

 private:
  using Choices = std::map<std::string, std::string>;
  void load();

  std::string file_;
  std::mutex mutex_;  // guards the rest
  bool loaded_ = false;
  Choices choices_;
};

// FNV-1a, continued from `hash`.
uint64_t hash_text(const std::string &text, uint64_t hash = 14695981039346656037ull);

}  // namespace gapcam
