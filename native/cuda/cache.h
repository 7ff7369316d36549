// Files in the cache folder that save work from one process to the next. Losing them costs time,
// nothing else, so a folder that cannot be written is no error.
#pragma once

#include <cstdint>
#include <string>

namespace gapcam::cuda {

// The content of a file, or "".
std::string read_cached(const std::string &name);

// Written beside its final name and renamed, so that a reader sees all or nothing.
void write_cached(const std::string &name, const std::string &content);

// As the other two, for what would do harm if it were damaged: with its hash before it.
std::string read_sealed(const std::string &name);
void write_sealed(const std::string &name, const std::string &content);

// FNV-1a, continued from `hash`.
uint64_t hash_text(const std::string &text, uint64_t hash = 14695981039346656037ull);

}  // namespace gapcam::cuda
