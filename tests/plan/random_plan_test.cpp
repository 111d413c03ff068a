#include "plan/random_plan.hpp"

#include <set>

/// Invariants of topologies of random nested plans. PYSTREAM_SEED repeats a run.
namespace pystream::plan::test {
namespace {

struct FlatStage {
  std::string key;
  std::string worker;     ///< of its stage or of the outermost of the serial pipelines it is a row with
  bool answered = false;  ///< inside a parallel child of a serial pipeline
};

/// The stages in order, computed by another way than the topology's.
void flatten(const Node& pipeline, const std::string& key, const std::string& row, bool answered,
             std::vector<FlatStage>& out) {
  for (const Node& child : pipeline.children) {
    const std::string child_key = key + "__" + child.name;
    const bool in_row = pipeline.mode == Mode::serial;
    if (!child.is_pipeline()) {
      out.push_back({child_key, in_row ? row : child_key, answered});
    } else if (child.mode == Mode::parallel) {
      flatten(child, child_key, "", answered || in_row, out);
    } else {
      flatten(child, child_key, in_row ? row : child_key, answered, out);
    }
  }
}

/// The segments along the links from the entry, each once.
std::vector<SegmentRef> chain_of(const Topology& sut) {
  std::vector<std::optional<SegmentRef>> consumers(sut.links.size());
  std::optional<SegmentRef> first;
  for (WorkerId worker = 0; worker < sut.workers.size(); ++worker) {
    for (std::uint32_t i = 0; i < sut.workers[worker].segments.size(); ++i) {
      const std::vector<LinkId>& inputs = sut.workers[worker].segments[i].inputs;
      auto& slot = inputs.empty() ? first : consumers.at(inputs.front());
      EXPECT_LE(inputs.size(), 1U);
      EXPECT_FALSE(slot.has_value()) << "two consumers of one link, or two entries";
      slot = SegmentRef{worker, i};
      EXPECT_TRUE(inputs.empty() || sut.links[inputs.front()].consumers == std::vector<SegmentRef>{*slot});
    }
  }
  std::vector<SegmentRef> chain;
  for (std::optional<SegmentRef> place = first; place && chain.size() <= sut.links.size();) {
    chain.push_back(*place);
    const std::vector<LinkId>& outputs = sut.segment(*place).outputs;
    EXPECT_LE(outputs.size(), 1U);
    EXPECT_TRUE(outputs.empty() || sut.links.at(outputs.front()).producer == *place);
    place = outputs.empty() ? std::nullopt : consumers.at(outputs.front());
  }
  return chain;
}

void check_chain(const Topology& sut) {
  const std::vector<SegmentRef> chain = chain_of(sut);
  ASSERT_EQ(chain.size(), sut.item_links().size() + 1) << "the links are one chain";
  std::size_t segments = 0;
  for (const WorkerSpec& worker : sut.workers) {
    segments += worker.segments.size();
  }
  EXPECT_EQ(chain.size(), segments) << "every segment is on it";
  std::vector<std::size_t> next(sut.workers.size());
  std::vector<StageId> stages;
  std::vector<WorkerId> first_seen;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Segment& segment = sut.segment(chain[i]);
    EXPECT_EQ(chain[i].index, next[chain[i].worker]++) << "segments of a row come in order";
    EXPECT_EQ(segment.inputs, i == 0 ? std::vector<LinkId>() : std::vector<LinkId>{static_cast<LinkId>(i - 1)});
    stages.insert(stages.end(), segment.stages.begin(), segment.stages.end());
    if (chain[i].index == 0) {
      first_seen.push_back(chain[i].worker);
    }
  }
  EXPECT_TRUE(std::is_sorted(first_seen.begin(), first_seen.end())) << "workers are ordered along the way";
  for (StageId id = 0; id < stages.size(); ++id) {
    EXPECT_EQ(stages[id], id) << "stages are called in order";
  }
  EXPECT_EQ(stages.size(), sut.stages.size());
}

void check_stages(const Topology& sut, const Plan& plan) {
  std::vector<FlatStage> flat;
  flatten(plan.root, "MainPipeline", "MainPipeline", false, flat);
  const std::size_t shift = plan.entry == EndKind::stage ? 1 : 0;
  ASSERT_EQ(sut.stages.size(), flat.size() + shift + (plan.exit == EndKind::stage ? 1 : 0));
  for (std::size_t i = 0; i < flat.size(); ++i) {
    const PlacedStage& placed = sut.stages[i + shift];
    EXPECT_EQ(placed.key, flat[i].key);
    EXPECT_EQ(sut.workers[placed.worker].name, flat[i].worker);
  }
}

/// A link is answered if, and only if, it lies between two segments of one worker.
void check_answers(const Topology& sut) {
  for (LinkId id = 0; id < sut.item_links().size(); ++id) {
    bool inside = false;
    for (const WorkerSpec& worker : sut.workers) {
      const auto& first = worker.segments.front();
      const auto& last = worker.segments.back();
      const bool after_first = worker.segments.size() > 1 && first.outputs.at(0) <= id;
      inside = inside || (after_first && id <= last.inputs.at(0));
    }
    EXPECT_EQ(sut.links[id].answers, inside) << sut.links[id].name;
  }
}

void check_names(const Topology& sut) {
  std::set<std::string> workers;
  std::set<std::string> links;
  for (const WorkerSpec& worker : sut.workers) {
    EXPECT_TRUE(workers.insert(worker.name).second) << worker.name;
  }
  for (const LinkSpec& link : sut.item_links()) {
    EXPECT_TRUE(links.insert(link.name).second) << link.name;
  }
}

/// Every stage gets the results of the one before it, and its counters are its own.
void check_neighbours(const Topology& sut) {
  std::vector<std::uint32_t> counts(sut.workers.size());
  for (StageId id = 0; id < sut.stages.size(); ++id) {
    EXPECT_EQ(sut.upstream(id), id == 0 ? std::vector<StageId>() : std::vector<StageId>{id - 1});
    EXPECT_EQ(sut.downstream(id), id + 1 == sut.stages.size() ? std::vector<StageId>() : std::vector<StageId>{id + 1});
    EXPECT_EQ(sut.stages[id].index, counts[sut.stages[id].worker]++);
  }
}

/// A segment of a worker has an output in any case, and terminal links lie behind the others.
void check_terminals(const Topology& sut) {
  for (const WorkerSpec& worker : sut.workers) {
    for (const Segment& segment : worker.segments) {
      EXPECT_TRUE(worker.external || segment.outputs.size() == 1);
    }
  }
  for (LinkId id = 0; id < sut.links.size(); ++id) {
    EXPECT_EQ(sut.links[id].is_terminal(), id >= sut.item_links().size());
  }
}

TEST(RandomPlanTest, TopologiesKeepTheirInvariants) {
  const std::uint64_t seed = seed_of_run();
  for (std::uint64_t i = 0; i < 300; ++i) {
    SCOPED_TRACE("PYSTREAM_SEED=" + std::to_string(seed + i));
    const Plan plan = RandomPlan(seed + i).make();
    const Topology sut = make_topology(plan);
    check_chain(sut);
    check_stages(sut, plan);
    check_answers(sut);
    check_names(sut);
    check_neighbours(sut);
    check_terminals(sut);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(RandomPlanTest, AnsweredStagesLieBetweenAnsweredLinks) {
  const std::uint64_t seed = seed_of_run();
  for (std::uint64_t i = 0; i < 300; ++i) {
    SCOPED_TRACE("PYSTREAM_SEED=" + std::to_string(seed + i));
    const Plan plan = RandomPlan(seed + i).make();
    const Topology sut = make_topology(plan);
    std::vector<FlatStage> flat;
    flatten(plan.root, "MainPipeline", "MainPipeline", false, flat);
    for (const FlatStage& stage : flat) {
      const auto worker = std::find_if(sut.workers.begin(), sut.workers.end(),
                                       [&](const WorkerSpec& spec) { return spec.name == stage.worker; });
      ASSERT_NE(worker, sut.workers.end());
      const std::vector<LinkId>& inputs = worker->segments.front().inputs;
      ASSERT_EQ(!inputs.empty() && sut.links[inputs.front()].answers, stage.answered) << stage.key;
    }
  }
}

TEST(RandomPlanTest, WrittenPlansComeBackTheSame) {
  const std::uint64_t seed = seed_of_run();
  for (std::uint64_t i = 0; i < 100; ++i) {
    SCOPED_TRACE("PYSTREAM_SEED=" + std::to_string(seed + i));
    const Plan plan = RandomPlan(seed + i).make();
    const Plan sut = written_plan_in(write_plan(plan));
    ASSERT_EQ(written_plan_in(write_plan(sut)), sut);
    ASSERT_EQ(make_topology(sut).links.size(), make_topology(plan).links.size());
  }
}

}  // namespace
}  // namespace pystream::plan::test
