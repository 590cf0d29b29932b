// Functions of images.
#include "tests/functions/rows.h"

namespace jot::test {

namespace {

namespace F = nn::functional;

void moves(FunctionRows& t) {
  const Input image{{2, 3, 4}};
  struct Case {
    std::string label;
    Shape pads;
    Pad mode;
  };
  for (const Case& c :
       {Case{"reflect", {2, 1}, Pad::reflect}, Case{"reflect two dims", {3, 0, 1, 2}, Pad::reflect},
        Case{"replicate", {2, 3, 0, 1}, Pad::replicate}, Case{"circular", {4, 1, 2, 0}, Pad::circular},
        Case{"cropped", {-1, 2}, Pad::reflect}, Case{"cropped replicate", {2, -3, -1, 1}, Pad::replicate},
        Case{"constant", {1, 2, 0, 1, 2, 0}, Pad::constant}, Case{"crop", {-1, 0, 1, -2}, Pad::constant},
        Case{"nothing", {0, 0}, Pad::circular}, Case{"no pads", {}, Pad::constant}})
    t.add("nn.pad", c.label, {image}, [c](Tensors x) { return F::pad(x[0], c.pads, c.mode); });
  t.add("nn.pad", "value", {image}, [](Tensors x) { return F::pad(x[0], {1, 1}, Pad::constant, 2.5); });
  t.add("nn.pad", "empty", {{{0, 3}}}, [](Tensors x) { return F::pad(x[0], {1, 1}, Pad::reflect); });
  t.add("nn.pixel_shuffle", "", {{{2, 8, 2, 3}}}, [](Tensors x) { return F::pixel_shuffle(x[0], 2); });
  t.add("nn.pixel_shuffle", "one", {{{2, 2, 3}}}, [](Tensors x) { return F::pixel_shuffle(x[0], 1); });
  t.add("nn.pixel_unshuffle", "", {{{2, 1, 4, 6}}}, [](Tensors x) { return F::pixel_unshuffle(x[0], 2); });
  t.add("nn.channel_shuffle", "", {{{2, 6, 2}}}, [](Tensors x) { return F::channel_shuffle(x[0], 3); });
}

void interpolations(FunctionRows& t) {
  using I = Interpolation;
  struct Case {
    std::string label;
    Shape shape;
    Ints size;
    I mode;
    std::optional<bool> align;
  };
  for (const Case& c :
       {Case{"nearest", {2, 1, 5}, 7, I::nearest, none}, Case{"nearest, twice", {1, 2, 3, 2}, {6, 4}, I::nearest, none},
        Case{"nearest, every other", {1, 1, 4, 6}, {2, 3}, I::nearest, none},
        Case{"nearest exact", {1, 1, 3, 4}, {5, 3}, I::nearest_exact, none},
        Case{"linear", {2, 1, 4}, 7, I::linear, none}, Case{"bilinear", {1, 2, 3, 4}, {5, 3}, I::bilinear, none},
        Case{"bilinear, aligned", {1, 2, 3, 4}, {5, 3}, I::bilinear, true},
        Case{"bicubic", {1, 1, 3, 4}, {5, 3}, I::bicubic, none},
        Case{"bicubic, aligned", {1, 1, 3, 4}, {4, 6}, I::bicubic, true},
        Case{"trilinear", {1, 1, 2, 3, 2}, {3, 2, 4}, I::trilinear, none},
        Case{"area", {1, 1, 5, 4}, {3, 2}, I::area, none}, Case{"area, larger", {1, 1, 3}, 5, I::area, none},
        Case{"one element", {1, 1, 1}, 3, I::linear, true}, Case{"to one", {1, 1, 4}, 1, I::linear, true},
        Case{"of nothing", {0, 1, 4}, 3, I::linear, none}})
    t.add("nn.interpolate", c.label, {{c.shape}}, [c](Tensors x) {
       return F::interpolate(x[0], {.size = c.size, .mode = c.mode, .align_corners = c.align});
     }).takes = c.mode == I::nearest || c.mode == I::nearest_exact ? "kkk" : "rrr";
  t.add("nn.interpolate", "by a factor", {{{1, 1, 3, 4}}},
        [](Tensors x) { return F::interpolate(x[0], {.scale_factor = 1.7, .mode = I::bilinear}); });
  t.add("nn.interpolate", "by factors of a view", {{{4, 3, 1, 1}}}, [](Tensors x) {
    return F::interpolate(x[0].permute({2, 3, 0, 1}), {.scale_factor = {2, 0.7}, .mode = I::bicubic});
  });
}

void grids(FunctionRows& t) {
  const Input grid{{2, 2, 2, 2}, -1.3, 1.3};
  for (Interpolation mode : {Interpolation::bilinear, Interpolation::nearest, Interpolation::bicubic})
    for (GridPadding padding : {GridPadding::zeros, GridPadding::border, GridPadding::reflection})
      for (bool align : {false, true}) {
        const std::string label = std::to_string(static_cast<int>(mode)) + std::to_string(static_cast<int>(padding)) +
                                  (align ? " aligned" : "");
        t.add("nn.grid_sample", label, {{{2, 1, 3, 4}}, grid}, [=](Tensors x) {
           return F::grid_sample(x[0], x[1], {.mode = mode, .padding_mode = padding, .align_corners = align});
         }).tolerance = 2e-14;
      }
  t.add("nn.grid_sample", "of a volume", {{{1, 2, 2, 3, 2}}, {{1, 1, 2, 2, 3}, -1.3, 1.3}}, [](Tensors x) {
     return F::grid_sample(x[0], x[1]);
   }).tolerance = 2e-14;
  for (bool align : {false, true}) {
    t.add("nn.affine_grid", align ? "aligned" : "", {{{2, 2, 3}}}, [align](Tensors x) {
      return F::affine_grid(x[0], {2, 1, 3, 1}, align);
    });
    t.add("nn.affine_grid", align ? "volume, aligned" : "volume", {{{1, 3, 4}}}, [align](Tensors x) {
      return F::affine_grid(x[0], {1, 1, 2, 1, 3}, align);
    });
  }
}

}  // namespace

void vision_rows(FunctionRows& t) {
  moves(t);
  interpolations(t);
  grids(t);
}

}  // namespace jot::test
