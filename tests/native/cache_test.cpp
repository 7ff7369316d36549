// The cache folder among processes: what many write at once is all kept, and nothing that lies in
// its place, or holds its lock, stops anybody. Works in a new folder below the one that it is
// given.
#include "cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

namespace {

using gapcam::ChoiceTable;

int failures = 0;
std::string folder;

void expect(bool condition, const std::string &what) {
  if (condition) return;
  failures++;
  std::printf("FAILED: %s\n", what.c_str());
}

std::string path_of(const std::string &name) { return folder + "/" + name; }

void write_text(const std::string &name, const std::string &text) {
  std::ofstream(path_of(name), std::ios::binary) << text;
}

std::string read_text(const std::string &name) {
  std::ifstream file(path_of(name), std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool exists(const std::string &name) {
  struct stat status;
  return lstat(path_of(name).c_str(), &status) == 0;
}

// Runs `body` in a process of its own; what it returns is the exit code.
pid_t start(const std::function<int()> &body) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) std::_Exit(body());
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int in_process(const std::function<int()> &body) { return wait_for(start(body)); }

double seconds_of(const std::function<void()> &body) {
  const auto from = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

// Eight processes with a table each and 25 keys of their own; and all choose for one key.
void merge() {
  constexpr int processes = 8, keys = 25;
  pid_t children[processes];
  for (int p = 0; p < processes; p++) {
    children[p] = start([p] {
      ChoiceTable table("plans-merge.json");
      for (int k = 0; k < keys; k++) {
        table.keep("key " + std::to_string(p) + " " + std::to_string(k), std::to_string(p * k));
      }
      write_text("chosen-" + std::to_string(p), table.keep("for all", std::to_string(p)));
      return 0;
    });
  }
  for (const pid_t child : children) expect(wait_for(child) == 0, "a process that writes ends");
  ChoiceTable table("plans-merge.json");
  const std::string chosen = table.find("for all");
  expect(!chosen.empty(), "a choice of several processes is kept");
  for (int p = 0; p < processes; p++) {
    expect(read_text("chosen-" + std::to_string(p)) == chosen, "all processes choose alike");
    for (int k = 0; k < keys; k++) {
      const std::string key = "key " + std::to_string(p) + " " + std::to_string(k);
      expect(table.find(key) == std::to_string(p * k), "lost: " + key);
    }
  }
}

void replace_unusable() {
  ChoiceTable table("plans-unusable.json"), other("plans-unusable.json");
  expect(table.keep("k", "1") == "1", "a first choice is kept");
  expect(other.keep("k", "2") == "1", "a choice that is kept stays");
  expect(other.keep("k", "2", "1") == "2", "an unusable choice is replaced");
  expect(table.keep("k", "3", "1") == "2", "what another process put in its place stays");
}

// No byte can be changed, and nothing cut off, without losing the whole; and then it is made anew.
void damage() {
  ChoiceTable("convolutions.json").keep("key", "value");
  gapcam::write_sealed("kernels-1.bin", "content");
  for (const std::string name : {"convolutions.json", "kernels-1.bin"}) {
    const std::string whole = read_text(name);
    const auto found = [&] {
      return name == "kernels-1.bin" ? gapcam::read_sealed(name) : ChoiceTable(name).find("key");
    };
    expect(found() != "", name + " is read");
    for (size_t i = 0; i < whole.size(); i++) {
      std::string changed = whole;
      changed[i] ^= 1;
      write_text(name, changed);
      expect(found() == "", name + " with another byte " + std::to_string(i) + " is refused");
      write_text(name, whole.substr(0, i));
      expect(found() == "", name + " of " + std::to_string(i) + " bytes is refused");
    }
  }
  expect(ChoiceTable("convolutions.json").keep("key", "new") == "new", "it is made anew");
  expect(ChoiceTable("convolutions.json").find("key") == "new", "and read");
}

// What does not belong where a file of the cache would be.
void odd_files() {
  const auto works = [](const char *what) {
    const double taken = seconds_of([&] {
      const int code = in_process([] {
        ChoiceTable table("convolutions.json");
        return table.keep("key", "value") == "value" && table.find("key") == "value" ? 0 : 1;
      });
      expect(code == 0, std::string(what) + " is gone on without");
    });
    expect(taken < 1.5, std::string(what) + " is not waited for");
  };
  const std::string table = path_of("convolutions.json"), lock = path_of("convolutions.lock");
  unlink(table.c_str());
  mkfifo(table.c_str(), 0644);
  works("a pipe in the table's place");
  unlink(table.c_str());
  mkdir(table.c_str(), 0755);
  works("a folder in the table's place");
  rmdir(table.c_str());
  unlink(lock.c_str());
  mkfifo(lock.c_str(), 0644);
  works("a pipe in the lock's place");
  unlink(lock.c_str());
  mkdir(lock.c_str(), 0755);
  works("a folder in the lock's place");
  rmdir(lock.c_str());
}

void held_lock() {
  const int lock = open(path_of("convolutions.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  expect(flock(lock, LOCK_EX) == 0, "the test has the lock");
  const int code = in_process([] {
    bool kept = true;
    const double first =
        seconds_of([&] { kept = ChoiceTable("plans-held.json").keep("key", "value") == "value"; });
    const double second = seconds_of(
        [&] { kept = ChoiceTable("plans-held.json").keep("key", "value") == "value" && kept; });
    return !kept ? 1 : first > 20 ? 2 : second > 1 ? 3 : 0;
  });
  expect(code == 0, "a lock that another holds is waited for once, " + std::to_string(code));
  expect(!exists("plans-held.json"), "nothing is written without the lock");
  close(lock);
}

// What writers left that were killed goes with the next that writes; what is not theirs stays.
void strays() {
  const pid_t gone = start([] { return 0; });
  wait_for(gone);
  const std::string dead = "." + std::to_string(gone), alive = "." + std::to_string(getpid());
  const std::string removed[] = {"convolutions.json" + dead, "kernels-2.bin" + dead + ".7",
                                 "plans-old.txt" + dead + ".0", "plan-old.json" + alive};
  const std::string left[] = {"convolutions.json" + alive, "notes.txt" + dead, "plan-2.json"};
  for (const std::string &name : removed) write_text(name, "half");
  for (const std::string &name : left) write_text(name, "whole");
  const utimbuf yesterday = {std::time(nullptr) - 86400, std::time(nullptr) - 86400};
  utime(path_of(removed[3]).c_str(), &yesterday);
  in_process([] { return ChoiceTable("plans-3.json").keep("key", "value") == "value" ? 0 : 1; });
  for (const std::string &name : removed) expect(!exists(name), name + " is removed");
  for (const std::string &name : left) expect(exists(name), name + " stays");
}

}  // namespace

int main(int count, char **arguments) {
  folder = std::string(count > 1 ? arguments[1] : "/tmp") + "/cache-test-XXXXXX";
  if (!mkdtemp(folder.data())) {
    std::printf("FAILED: no folder can be made in %s\n", folder.c_str());
    return 1;
  }
  setenv("GAPCAM_CACHE", folder.c_str(), 1);
  // First what does not take the lock in this process, so that strays are looked for in children.
  strays();
  merge();
  replace_unusable();
  damage();
  odd_files();
  held_lock();
  std::printf("%s: %d failures\n", failures ? "failed" : "passed", failures);
  return failures ? 1 : 0;
}
