#include "cache.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "cache_folder.h"
#include "error.h"

namespace gapcam::cuda {

namespace {

std::string seal_of(const std::string &content) {
  return format("%016llx", static_cast<unsigned long long>(hash_text(content)));
}

}  // namespace

std::string read_cached(const std::string &name) {
  const std::string folder = cache_folder();
  if (folder.empty()) return "";
  std::ifstream file(folder + "/" + name, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return file ? content.str() : "";
}

void write_cached(const std::string &name, const std::string &content) {
  const std::string folder = cache_folder();
  if (folder.empty()) return;
  static std::atomic<unsigned> count{0};
  const std::string path = folder + "/" + name;
  const std::string beside = format("%s.%d.%u", path.c_str(), static_cast<int>(getpid()), count++);
  std::ofstream file(beside, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file || std::rename(beside.c_str(), path.c_str()) != 0) std::remove(beside.c_str());
}

std::string read_sealed(const std::string &name) {
  const std::string text = read_cached(name);
  const size_t end = text.find('\n');
  if (end == std::string::npos) return "";
  std::string content = text.substr(end + 1);
  return text.compare(0, end, seal_of(content)) == 0 ? content : "";
}

void write_sealed(const std::string &name, const std::string &content) {
  write_cached(name, seal_of(content) + "\n" + content);
}

uint64_t hash_text(const std::string &text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

}  // namespace gapcam::cuda
