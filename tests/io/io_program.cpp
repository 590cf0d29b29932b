// Writes files for numpy and safetensors to read: io_program FOLDER.
#include <jot/jot.h>

#include <string>

using namespace jot;

int main(int, char** arguments) {
  const std::string folder = std::string(arguments[1]) + "/";
  TensorDict all = {{"transposed", arange(24).reshape({2, 3, 4}).permute({2, 0, 1})},
                    {"scalar", tensor(2.5)},
                    {"empty", zeros({0, 3})},
                    {"n\xc3\xa4me \"quoted\"\n", ones({1})}};
  for (DType d : {boolean, u8, i32, i64, bf16, f16, f32, f64}) {
    Tensor i = arange(6, f64);
    Tensor x = d == boolean ? i % 2 : d == u8 ? i : is_floating(d) ? (i - 1) / 4 : i - 1;
    all.emplace(to_string(d), x.to(d).reshape({2, 3}));
  }
  save_safetensors(folder + "all.safetensors", all, {.metadata = {{"format", "pt"}, {"note", "a\nb"}}});
  save_npz(folder + "all.npz", all);
  save_npy(folder + "transposed.npy", all.at("transposed"));
}
