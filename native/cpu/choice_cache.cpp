#include "choice_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "cache_folder.h"
#include "error.h"

namespace gapcam::cpu {

namespace {

using Choices = std::map<std::string, std::string>;

constexpr const char *header = "{\"gapcam\": \"convolution choices 1\"";

std::string read_text(const std::string &path) {
  std::string text;
  std::FILE *file = std::fopen(path.c_str(), "re");
  if (!file) return text;
  char piece[4096];
  size_t got;
  while ((got = std::fread(piece, 1, sizeof piece, file)) > 0) text.append(piece, got);
  std::fclose(file);
  return text;
}

// The lines `,"key": "value"` that follow the header; nothing at all if one is malformed. Keys and
// values hold no quotes.
Choices parse(const std::string &text) {
  Choices choices;
  size_t line = text.find('\n');
  if (line == std::string::npos || text.compare(0, line, header) != 0) return {};
  for (line++; line < text.size();) {
    const size_t end = text.find('\n', line);
    if (end == std::string::npos) return {};
    if (text.compare(line, end - line, "}") == 0) return choices;
    const size_t middle = text.find("\": \"", line);
    if (text.compare(line, 2, ",\"") != 0 || middle == std::string::npos || middle > end ||
        text[end - 1] != '"') {
      return {};
    }
    const std::string key = text.substr(line + 2, middle - line - 2);
    choices[key] = text.substr(middle + 4, end - 1 - middle - 4);
    line = end + 1;
  }
  return {};
}

bool write_choices(const std::string &path, const Choices &choices) {
  const std::string beside = path + format(".%d", static_cast<int>(getpid()));
  std::FILE *file = std::fopen(beside.c_str(), "we");
  if (!file) return false;
  bool good = std::fprintf(file, "%s\n", header) > 0;
  for (const auto &[key, value] : choices) {
    good = std::fprintf(file, ",\"%s\": \"%s\"\n", key.c_str(), value.c_str()) > 0 && good;
  }
  good = std::fputs("}\n", file) >= 0 && good;
  good = std::fclose(file) == 0 && good;
  if (good && std::rename(beside.c_str(), path.c_str()) == 0) return true;
  unlink(beside.c_str());
  return false;
}

// Holds the lock on the cache file while alive.
class FileLock {
 public:
  explicit FileLock(const std::string &path)
      : file_(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
    if (file_ >= 0) flock(file_, LOCK_EX);
  }
  ~FileLock() {
    if (file_ >= 0) close(file_);
  }
  FileLock(const FileLock &) = delete;
  FileLock &operator=(const FileLock &) = delete;

 private:
  int file_;
};

struct State {
  std::mutex mutex;
  Choices choices;
  bool loaded = false;
};

State &state() {
  // Never destroyed: a program may compile while the process ends.
  static State *one = new State;
  return *one;
}

}  // namespace

std::string remembered_choice(const std::string &key, const std::function<std::string()> &decide) {
  State &known = state();
  std::lock_guard lock(known.mutex);
  const std::string folder = cache_folder();
  const std::string path = folder + "/convolutions.json";
  if (!known.loaded && !folder.empty()) known.choices = parse(read_text(path));
  known.loaded = true;
  const auto found = known.choices.find(key);
  if (found != known.choices.end()) return found->second;
  std::string choice = decide();
  if (!folder.empty()) {
    const FileLock file_lock(folder + "/convolutions.lock");
    // Another process may have chosen meanwhile; then all make its choice.
    Choices stored = parse(read_text(path));
    const auto other = stored.find(key);
    if (other != stored.end()) {
      choice = other->second;
    } else {
      stored[key] = choice;
      write_choices(path, stored);
    }
  }
  known.choices[key] = choice;
  return choice;
}

}  // namespace gapcam::cpu
