// Tensors in files: .safetensors, and numpy's .npy and .npz. All dtypes. What is read is checked before anything is
// allocated for it, which is never more than the file holds (of compressed entries, than they unpack to); what is
// written replaces a file at once, when it is complete.
#pragma once
#include <map>
#include <string>

#include "jot/tree.h"

namespace jot {

// A file that cannot be read or written, or that does not hold what its format says: what(): "[function] 'file': key
// 'name': what is wrong, expected, got".
class FileError : public Error {
  using Error::Error;
};

// metadata: texts for the readers of the file, such as {"format", "pt"}.
struct SaveSafetensorsOptions {
  std::map<std::string, std::string> metadata = {};
};

// The format of huggingface's library of that name: dtypes BOOL, U8, I32, I64, BF16, F16, F32, F64 (others: FileError);
// names are UTF-8.
TensorDict load_safetensors(const std::string& path, Location at = JOT_HERE);
std::map<std::string, std::string> load_safetensors_metadata(const std::string& path, Location at = JOT_HERE);
void save_safetensors(const std::string& path, const TensorDict& tensors, const SaveSafetensorsOptions& options = {},
                      Location at = JOT_HERE);

// numpy.load and numpy.save: formats 1 to 3, both byte orders, Fortran's order too. numpy has no bf16: it is written,
// and read, as '<V2', two bytes that x.view(ml_dtypes.bfloat16) gives a meaning.
Tensor load_npy(const std::string& path, Location at = JOT_HERE);
void save_npy(const std::string& path, const Tensor& x, Location at = JOT_HERE);

// numpy.load of what numpy.savez or savez_compressed wrote, by name; and numpy.savez. Archives below 4 GiB.
TensorDict load_npz(const std::string& path, Location at = JOT_HERE);
void save_npz(const std::string& path, const TensorDict& arrays, Location at = JOT_HERE);

}  // namespace jot
