#include "cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "cache_folder.h"
#include "error.h"

namespace gapcam {

namespace {

constexpr auto longest_wait = std::chrono::seconds(5);
// After that what a writer left is stray, even if a process has its number.
constexpr time_t old_seconds = 3600;
constexpr off_t largest_file = off_t{1} << 28;

class File {
 public:
  // O_NONBLOCK, so that a pipe in a file's place is refused instead of waited for.
  File(const std::string &path, int flags)
      : file_(open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644)) {
    struct stat status;
    if (file_ < 0) return;
    if (fstat(file_, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= largest_file) {
      return;
    }
    close(file_);
    file_ = -1;
  }
  ~File() {
    if (file_ >= 0) close(file_);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  explicit operator bool() const { return file_ >= 0; }
  int get() const { return file_; }

 private:
  int file_;
};

std::string read_text(const std::string &path) {
  const File file(path, O_RDONLY);
  std::string text;
  if (!file) return text;
  char piece[16384];
  ssize_t got;
  while ((got = read(file.get(), piece, sizeof piece)) > 0) {
    text.append(piece, static_cast<size_t>(got));
  }
  return got == 0 ? text : "";
}

bool write_all(int file, const std::string &text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t wrote = write(file, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += static_cast<size_t>(wrote);
  }
  return fsync(file) == 0;
}

// Replaces `folder`/`name`. The caller has the lock.
void replace_file(const std::string &folder, const std::string &name, const std::string &text) {
  const std::string path = folder + "/" + name;
  const std::string beside = path + format(".%d", static_cast<int>(getpid()));
  bool good = false;
  {
    const File file(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (!file) return;
    good = write_all(file.get(), text);
  }
  if (!good || std::rename(beside.c_str(), path.c_str()) != 0) {
    unlink(beside.c_str());
    return;
  }
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  fsync(directory);
  close(directory);
}

// The process that was to rename a file of this name, or 0 where it is none that a writer leaves:
// NAME.PID, or NAME.PID.NUMBER of earlier versions.
pid_t writer_of(const std::string &name) {
  bool ours = false;
  for (const char *start : {"convolutions.", "plans-", "plan-", "kernels-"}) {
    ours = ours || name.rfind(start, 0) == 0;
  }
  pid_t writer = 0;
  size_t end = name.size();
  for (int numbers = 0; ours && numbers < 2; numbers++) {
    const size_t dot = name.rfind('.', end - 1);
    if (dot == std::string::npos || dot + 1 == end) break;
    const std::string number = name.substr(dot + 1, end - dot - 1);
    if (number.size() > 9 || number.find_first_not_of("0123456789") != std::string::npos) break;
    writer = static_cast<pid_t>(std::atoi(number.c_str()));
    end = dot;
  }
  return writer;
}

// Removes what writers left that were killed.
void remove_strays(const std::string &folder) {
  DIR *directory = opendir(folder.c_str());
  if (!directory) return;
  while (const dirent *entry = readdir(directory)) {
    const pid_t writer = writer_of(entry->d_name);
    if (writer <= 0) continue;
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    const bool gone = kill(writer, 0) != 0 && errno == ESRCH;
    const bool old = std::time(nullptr) - status.st_mtime > old_seconds;
    if (S_ISREG(status.st_mode) && (gone || old)) unlinkat(dirfd(directory), entry->d_name, 0);
  }
  closedir(directory);
}

// Holds the cache folder's lock while alive, if it could be had.
class FolderLock {
 public:
  // The name that version 0.1.0 locks, which may share the folder.
  explicit FolderLock(const std::string &folder)
      : file_(folder + "/convolutions.lock", O_RDWR | O_CREAT) {
    if (!file_) return;
    // Who waited in vain once does not wait again.
    static std::atomic<bool> in_vain{false};
    const auto end = std::chrono::steady_clock::now() + longest_wait;
    while (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      // Some network file systems have no locks. Renaming alone keeps files whole.
      if (errno != EWOULDBLOCK && errno != EINTR) break;
      if (in_vain || std::chrono::steady_clock::now() >= end) {
        in_vain = true;
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    in_vain = false;
    held_ = true;
    static std::atomic<bool> swept{false};
    if (!swept.exchange(true)) remove_strays(folder);
  }
  explicit operator bool() const { return held_; }

 private:
  File file_;
  bool held_ = false;
};

std::string seal_of(const std::string &content) {
  return format("%016llx", static_cast<unsigned long long>(hash_text(content)));
}

std::string table_header(const std::string &lines) {
  return "{\"gapcam\": \"choices 1\", \"seal\": \"" + seal_of(lines) + "\"\n";
}

// The lines `,"key": "value"` between the header and the last line, which is "}". Nothing at all of
// a file that is damaged.
std::map<std::string, std::string> parse_table(const std::string &text) {
  std::map<std::string, std::string> choices;
  const size_t start = text.find('\n');
  if (start == std::string::npos) return {};
  const std::string lines = text.substr(start + 1);
  if (text.compare(0, start + 1, table_header(lines)) != 0) return {};
  for (size_t line = 0; line < lines.size();) {
    const size_t end = lines.find('\n', line);
    if (end == std::string::npos || lines.compare(line, 2, ",\"") != 0) break;
    const size_t middle = lines.find("\": \"", line);
    if (middle == std::string::npos || middle > end) break;
    choices[lines.substr(line + 2, middle - line - 2)] =
        lines.substr(middle + 4, end - 1 - middle - 4);
    line = end + 1;
  }
  return choices;
}

std::string table_text(const std::map<std::string, std::string> &choices) {
  std::string lines;
  for (const auto &[key, value] : choices) lines += ",\"" + key + "\": \"" + value + "\"\n";
  lines += "}\n";
  return table_header(lines) + lines;
}

}  // namespace

std::string read_sealed(const std::string &name) {
  const std::string folder = cache_folder();
  if (folder.empty()) return "";
  const std::string text = read_text(folder + "/" + name);
  const size_t end = text.find('\n');
  if (end == std::string::npos) return "";
  std::string content = text.substr(end + 1);
  return text.compare(0, end, seal_of(content)) == 0 ? content : "";
}

void write_sealed(const std::string &name, const std::string &content) {
  const std::string folder = cache_folder();
  if (folder.empty()) return;
  if (const FolderLock lock(folder); lock) {
    replace_file(folder, name, seal_of(content) + "\n" + content);
  }
}

void ChoiceTable::load() {
  if (loaded_) return;
  loaded_ = true;
  const std::string folder = cache_folder();
  if (!folder.empty()) choices_ = parse_table(read_text(folder + "/" + file_));
}

std::string ChoiceTable::find(const std::string &key) {
  std::lock_guard guard(mutex_);
  load();
  const auto found = choices_.find(key);
  return found == choices_.end() ? "" : found->second;
}

std::string ChoiceTable::keep(const std::string &key, const std::string &value,
                              const std::string &unusable) {
  std::lock_guard guard(mutex_);
  load();
  choices_[key] = value;
  const std::string folder = cache_folder();
  if (folder.empty()) return value;
  const FolderLock lock(folder);
  if (!lock) return value;
  Choices stored = parse_table(read_text(folder + "/" + file_));
  const auto other = stored.find(key);
  if (other != stored.end() && other->second == unusable) stored.erase(other);
  // With what could not be written earlier.
  const size_t known = stored.size();
  stored.insert(choices_.begin(), choices_.end());
  if (stored.size() > known) replace_file(folder, file_, table_text(stored));
  choices_ = std::move(stored);
  return choices_[key];
}

uint64_t hash_text(const std::string &text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

}  // namespace gapcam
