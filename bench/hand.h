// The hand-tracking objective of ADBench (its simple version): a skeleton of bones, posed by 26 parameters, carries the
// vertices of a hand; the residuals are the distances, by coordinate, of measured points from their vertices.
#pragma once
#include <jot/jot.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace bench::hand {

using jot::Tensor;

constexpr int64_t kFingers = 5;

struct Hand {
  std::vector<int64_t> parents;      // of each bone; -1: the root. Parents come first
  Tensor relatives, inverses;        // f64[bones, 4, 4]: to the parent; from the hand at rest to the bone
  Tensor vertices, weights, points;  // of each measured point: its vertex f64[n, 4], how the bones carry it
                                     // f64[n, bones], where it was seen f64[n, 3]
  Tensor theta;                      // f64[26]
};

inline std::vector<std::vector<std::string>> read_lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    lines.emplace_back();
    for (std::string field; std::getline(fields, field, ':');) lines.back().push_back(field);
  }
  if (lines.empty()) throw jot::Error("[read_hand] " + path + " cannot be read");
  return lines;
}

// Bones: name:parent:relative (16 numbers by rows):inverse (16). Vertices: place (3):normal (3):texture (2):n, then n
// times bone:weight. Problem: "points parameters", points with the number of their vertex, parameters.
inline Hand read_hand(const std::string& path, const std::string& model) {
  const auto bones = read_lines(model + "/bones.txt"), vertices = read_lines(model + "/vertices.txt");
  const auto num_bones = static_cast<int64_t>(bones.size());
  Hand p;
  std::vector<double> relatives, inverses;
  for (const auto& bone : bones) {
    p.parents.push_back(std::stoll(bone.at(1)));
    for (size_t i = 0; i < 16; ++i) relatives.push_back(std::stod(bone.at(2 + i)));
    for (size_t i = 0; i < 16; ++i) inverses.push_back(std::stod(bone.at(18 + i)));
  }
  std::ifstream file(path);
  int64_t n = 0, parameters = 0;
  file >> n >> parameters;
  std::vector<double> places, weights(static_cast<size_t>(n * num_bones)), points, theta;
  for (int64_t i = 0; i < n; ++i) {
    size_t vertex = 0;
    double x[3];
    file >> vertex >> x[0] >> x[1] >> x[2];
    points.insert(points.end(), x, x + 3);
    const auto& v = vertices.at(vertex);
    for (size_t d = 0; d < 3; ++d) places.push_back(std::stod(v.at(d)));
    places.push_back(1);
    for (size_t k = 0, count = std::stoul(v.at(8)); k < count; ++k)
      weights[static_cast<size_t>(i * num_bones) + std::stoul(v.at(9 + 2 * k))] = std::stod(v.at(10 + 2 * k));
  }
  for (double x; file >> x;) theta.push_back(x);
  if (static_cast<int64_t>(theta.size()) != parameters || parameters != 6 + 4 * kFingers)
    throw jot::Error("[read_hand] " + path + " is not a problem of one hand");
  p.relatives = Tensor::from(relatives, {num_bones, 4, 4});
  p.inverses = Tensor::from(inverses, {num_bones, 4, 4});
  p.vertices = Tensor::from(places, {n, 4});
  p.weights = Tensor::from(weights, {n, num_bones});
  p.points = Tensor::from(points, {n, 3});
  p.theta = Tensor::from(theta);
  return p;
}

inline Tensor matrix(std::initializer_list<std::initializer_list<Tensor>> rows) {
  std::vector<Tensor> stacked;
  for (const auto& row : rows) stacked.push_back(jot::stack(std::vector<Tensor>(row)));
  return jot::stack(stacked);
}

// About the first axis, then the third, then the second: `angles` are those of x, z and y.
inline Tensor euler(const Tensor& angles) {
  Tensor c = cos(angles), s = sin(angles), one = jot::ones({}, jot::f64), zero = jot::zeros({}, jot::f64);
  Tensor X = matrix({{one, zero, zero}, {zero, c[0], -s[0]}, {zero, s[0], c[0]}});
  Tensor Y = matrix({{c[2], zero, s[2]}, {zero, one, zero}, {-s[2], zero, c[2]}});
  Tensor Z = matrix({{c[1], -s[1], zero}, {s[1], c[1], zero}, {zero, zero, one}});
  return matmul(Z, matmul(Y, X));
}

// About an axis by the angle that is its length, which is not 0.
inline Tensor about_axis(const Tensor& v) {
  Tensor angle = sqrt(sum(v * v)), axis = v / angle, zero = jot::zeros({}, jot::f64);
  Tensor K = matrix({{zero, -axis[2], axis[1]}, {axis[2], zero, -axis[0]}, {-axis[1], axis[0], zero}});
  return jot::eye(3, jot::f64) * cos(angle) + sin(angle) * K + (1 - cos(angle)) * outer(axis, axis);
}

// Parameters: rotation and place of the hand, then of each finger flexion and spread of its first joint and the flexion
// of two more. f64[3 n].
inline Tensor residuals(const Tensor& theta, const Hand& p) {
  const int64_t bones = p.relatives.size(0);
  // Three angles a bone: the root, then five a finger less one, of which the last has none.
  Tensor zero = jot::zeros({}, jot::f64);
  std::vector<Tensor> angles(static_cast<size_t>(3 * bones), zero);
  for (int64_t finger = 0; finger < kFingers; ++finger) {
    auto at = static_cast<size_t>(3 * (2 + 4 * finger));
    const int64_t from = 6 + 4 * finger;
    angles[at] = theta[from];
    angles[at + 1] = theta[from + 1];
    angles[at + 3] = theta[from + 2];
    angles[at + 6] = theta[from + 3];
  }
  Tensor R = jot::vmap(euler)(jot::stack(angles).reshape({bones, 3}));
  Tensor turned = matmul(p.relatives.slice(2, 0, 3), R);
  Tensor relatives = jot::cat({turned, p.relatives.slice(2, 3, 4)}, 2);
  std::vector<Tensor> absolutes;
  for (int64_t i = 0; i < bones; ++i) {
    const int64_t parent = p.parents[static_cast<size_t>(i)];
    absolutes.push_back(parent < 0 ? relatives[i] : matmul(absolutes[static_cast<size_t>(parent)], relatives[i]));
  }
  Tensor transforms = matmul(jot::stack(absolutes), p.inverses).slice(1, 0, 3);  // [bones, 3, 4]
  Tensor carried = matmul(p.weights, transforms.reshape({bones, 12})).reshape({-1, 3, 4});
  Tensor places = sum(carried * p.vertices.unsqueeze(1), {2});  // [n, 3]
  Tensor seen = matmul(places, about_axis(theta.slice(0, 0, 3)).t()) + theta.slice(0, 3, 6);
  return (p.points - seen).flatten();
}

}  // namespace bench::hand
