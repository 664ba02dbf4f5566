// How many tokens to guess: as many as pay, by measured cost and by how often guesses came true,
// and none where none do. Owns the promise that speculation costs at most about a hundredth of the
// time, whatever the text. Pure policy: it is told times and has no clock; nothing it decides can
// change an output.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace freehold::engine {

// How often guesses come true: the first of a step, the second if the first did, and so on.
class GuessOdds {
 public:
  // That guess `index` of a step, from 0, comes true if those before it did.
  double chance(uint32_t index) const { return kept(index).chance; }
  // Of n_guessed guesses in a row the first n_true came true.
  void learn(uint32_t n_guessed, uint32_t n_true);
  // Guesses of a step that it makes sense to try: one more than were ever looked at.
  uint32_t depth_to_try() const;
  // Nothing was guessed: what was learnt gets a little less certain, so that it is tried again.
  void hope();

 private:
  static constexpr double kHope = 0.7;
  struct Chance {
    double chance = kHope;
    uint32_t n_seen = 0;
  };
  static constexpr size_t kKept = 4;  // later guesses are like the last of these
  const Chance& kept(uint32_t index) const { return chances_[index < kKept ? index : kKept - 1]; }

  std::array<Chance, kKept> chances_ = {};
};

// What a pass costs by its number of rows, in microseconds.
class PassCosts {
 public:
  static constexpr size_t kMostRows = 256;

  bool knows(size_t rows) const { return costs_[capped(rows)].n_seen > 0; }
  // For a number of rows not seen yet what it may cost at best, so that it is tried.
  double expected(size_t rows) const;
  void learn(size_t rows, double us);

 private:
  struct Cost {
    double us = 0.0;
    uint32_t n_seen = 0;
  };
  static size_t capped(size_t rows) { return rows < kMostRows ? rows : kMostRows; }
  double at_best(size_t rows) const;

  std::array<Cost, kMostRows + 1> costs_ = {};
};

class DepthPolicy {
 public:
  static constexpr uint32_t kMost = 16;  // guesses a sequence and step

  // A sequence that makes a token in the next step and could have up to `limit` guesses verified.
  struct Candidate {
    const GuessOdds* odds;
    uint32_t limit;
  };
  // Sets depths[i] for candidates[i].
  void choose(std::span<const Candidate> candidates, std::span<uint32_t> depths);

  // A step in which every sequence made tokens.
  struct Step {
    size_t n_sequences = 0;
    size_t n_drafts = 0;
    size_t n_tokens = 0;   // made
    uint32_t deepest = 0;  // guesses of the sequence that had most
    double guess_us = 0;   // making the guesses
    double pass_us = 0;    // verifying them, and all that a step without guesses does
  };
  void learn(const Step& step);

 private:
  PassCosts costs_;
  double link_us_ = 0.0;  // making one guess for each sequence
  double total_us_ = 0.0;
  double lost_us_ = 0.0;  // against no speculation; below 0: won
  uint32_t n_since_plain_ = 0;
};

}  // namespace freehold::engine
