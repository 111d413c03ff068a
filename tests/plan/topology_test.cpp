#include "plan/plan_support.hpp"

namespace pystream::plan::test {
namespace {

Texts workers_of(const Topology& sut) {
  Texts names;
  for (const WorkerSpec& worker : sut.workers) {
    names.push_back(worker.name);
  }
  return names;
}

/// "Producer -> Consumer", with "!" where every input is answered.
Texts links_of(const Topology& sut) {
  Texts names;
  for (const LinkSpec& link : sut.item_links()) {
    names.push_back(link.name + (link.answers ? " !" : ""));
  }
  return names;
}

/// "0: A, B": the stages of each segment of a worker.
Texts segments_of(const Topology& sut, const std::string& worker) {
  Texts texts;
  for (const WorkerSpec& spec : sut.workers) {
    for (const Segment& segment : spec.name == worker ? spec.segments : std::vector<Segment>()) {
      std::string text;
      for (const StageId id : segment.stages) {
        text += (text.empty() ? "" : ", ") + sut.stages[id].key.substr(sut.stages[id].key.rfind("__") + 2);
      }
      texts.push_back(text);
    }
  }
  return texts;
}

TEST(TopologyTest, EachParallelStageIsAWorker) {
  const Plan plan = make_plan(Mode::parallel, {make_stage("A"), make_stage("B")});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(workers_of(sut),
            (Texts{"MainPipeline__Source", "MainPipeline__A", "MainPipeline__B", "MainPipeline__Sink"}));
  EXPECT_EQ(links_of(sut), (Texts{"Source -> A", "A -> B", "B -> Sink"}));
  EXPECT_EQ(sut.pipeline_keys, Texts{"MainPipeline"});
  EXPECT_EQ(sut.stages.front().role, Role::source);
  EXPECT_EQ(sut.stages.front().node, &plan.source);
  EXPECT_EQ(sut.stages[1].role, Role::stage);
  EXPECT_EQ(sut.stages[1].node, &plan.root.children[0]);
  EXPECT_EQ(sut.stages.back().role, Role::sink);
  EXPECT_EQ(sut.stages.back().worker, 3U);
  EXPECT_TRUE(sut.workers.front().segments.front().inputs.empty());
  EXPECT_TRUE(sut.links[sut.workers.back().segments.front().outputs.at(0)].is_terminal());
}

TEST(TopologyTest, NamedEndsGiveTheirNamesToKeys) {
  Plan plan = make_plan(Mode::parallel, {make_stage("A")});
  plan.source.name = "Camera";
  plan.sink.name = "Disk";
  const Topology sut = make_topology(plan);
  EXPECT_EQ(workers_of(sut), (Texts{"MainPipeline__Camera", "MainPipeline__A", "MainPipeline__Disk"}));
}

TEST(TopologyTest, SerialChildIsOneWorker) {
  const Plan plan = make_plan(
      Mode::parallel,
      {make_stage("A"),
       make_pipeline("Row", Mode::serial, {make_stage("B"), make_pipeline("Inner", Mode::serial, {make_stage("C")})})});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(workers_of(sut),
            (Texts{"MainPipeline__Source", "MainPipeline__A", "MainPipeline__Row", "MainPipeline__Sink"}));
  EXPECT_EQ(segments_of(sut, "MainPipeline__Row"), Texts{"B, C"});
  EXPECT_EQ(sut.stages[3].key, "MainPipeline__Row__Inner__C");
  EXPECT_EQ(sut.pipeline_keys, (Texts{"MainPipeline", "MainPipeline__Row", "MainPipeline__Row__Inner"}));
}

TEST(TopologyTest, ParallelChildOfParallelIsInlined) {
  const Plan plan = make_plan(
      Mode::parallel, {make_pipeline("P", Mode::parallel, {make_stage("A"), make_stage("B")}), make_stage("C")});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"Source -> P.A", "P.A -> P.B", "P.B -> C", "C -> Sink"}));
}

TEST(TopologyTest, SerialRowWithParallelChildHasTwoSegments) {
  const Plan plan = make_plan(
      Mode::parallel,
      {make_pipeline(
          "Row", Mode::serial,
          {make_stage("A"), make_pipeline("P", Mode::parallel, {make_stage("X"), make_stage("Y")}), make_stage("B")})});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(segments_of(sut, "MainPipeline__Row"), (Texts{"A", "B"}));
  EXPECT_EQ(links_of(sut),
            (Texts{"Source -> Row", "Row -> Row.P.X !", "Row.P.X -> Row.P.Y !", "Row.P.Y -> Row !", "Row -> Sink"}));
  const WorkerSpec& row = sut.workers[1];
  EXPECT_EQ(row.segments[0].outputs, std::vector<LinkId>{1});
  EXPECT_EQ(row.segments[1].inputs, std::vector<LinkId>{3});
}

TEST(TopologyTest, ParallelChildrenAtTheEdgesGiveEmptySegments) {
  const auto child = [](const char* name) { return make_pipeline(name, Mode::parallel, {make_stage("X")}); };
  const Plan plan = make_plan(Mode::parallel, {make_pipeline("Row", Mode::serial, {child("P"), child("Q")})});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(segments_of(sut, "MainPipeline__Row"), (Texts{"", "", ""}));
  EXPECT_EQ(links_of(sut), (Texts{"Source -> Row", "Row -> Row.P.X !", "Row.P.X -> Row !", "Row -> Row.Q.X !",
                                  "Row.Q.X -> Row !", "Row -> Sink"}));
}

TEST(TopologyTest, SerialTopIsOneWorkerWithBothEnds) {
  const Plan plan = make_plan(Mode::serial, {make_stage("A"), make_stage("B")});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(workers_of(sut), Texts{"MainPipeline"});
  EXPECT_EQ(segments_of(sut, "MainPipeline"), Texts{"Source, A, B, Sink"});
  EXPECT_TRUE(sut.item_links().empty());
}

TEST(TopologyTest, SerialTopWithParallelChildKeepsEndsInItsOuterSegments) {
  const Plan plan = make_plan(Mode::serial, {make_pipeline("P", Mode::parallel, {make_stage("X")})});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(workers_of(sut), (Texts{"MainPipeline", "MainPipeline__P__X"}));
  EXPECT_EQ(segments_of(sut, "MainPipeline"), (Texts{"Source", "Sink"}));
  EXPECT_EQ(links_of(sut), (Texts{"MainPipeline -> P.X !", "P.X -> MainPipeline !"}));
}

TEST(TopologyTest, ExternalEndsOfAParallelPipeline) {
  const Plan plan = make_plan(Mode::parallel, {make_stage("A")}, EndKind::external);
  const Topology sut = make_topology(plan);
  EXPECT_EQ(workers_of(sut), (Texts{"MainPipeline__Entry", "MainPipeline__A", "MainPipeline__Exit"}));
  EXPECT_EQ(links_of(sut), (Texts{"Entry -> A", "A -> Exit"}));
  EXPECT_TRUE(sut.workers.front().external);
  EXPECT_FALSE(sut.workers[1].external);
  EXPECT_TRUE(sut.workers.back().external);
  EXPECT_TRUE(sut.workers.back().segments.front().stages.empty());
}

TEST(TopologyTest, ExternalEndsOfASerialPipelineMakeItTheUsersOwnRow) {
  const Plan plan =
      make_plan(Mode::serial, {make_stage("A"), make_pipeline("P", Mode::parallel, {make_stage("X")}), make_stage("B")},
                EndKind::external);
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"MainPipeline -> P.X !", "P.X -> MainPipeline !"}));
  EXPECT_EQ(segments_of(sut, "MainPipeline"), (Texts{"A", "B"}));
  EXPECT_TRUE(sut.workers.front().external);
  EXPECT_FALSE(sut.workers[1].external);
}

TEST(TopologyTest, OneExternalEndOfASerialPipelineIsBesideItsRow) {
  Plan plan = make_plan(Mode::serial, {make_stage("A")}, EndKind::external);
  plan.exit = EndKind::stage;
  plan.sink = make_stage("");
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), Texts{"Entry -> MainPipeline"});
  EXPECT_FALSE(sut.workers[1].external);
}

TEST(TopologyTest, MixtureFourDeep) {
  const Node deepest = make_pipeline("D", Mode::parallel, {make_stage("W")});
  const Node row = make_pipeline("C", Mode::serial, {make_stage("V"), deepest, make_stage("U")});
  const Node inlined = make_pipeline("B", Mode::parallel, {make_stage("X"), row, make_stage("Y")});
  const Plan plan = make_plan(
      Mode::parallel, {make_pipeline("A", Mode::serial, {make_stage("S"), inlined, make_stage("T")}), make_stage("Z")});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"Source -> A", "A -> A.B.X !", "A.B.X -> A.B.C !", "A.B.C -> A.B.C.D.W !",
                                  "A.B.C.D.W -> A.B.C !", "A.B.C -> A.B.Y !", "A.B.Y -> A !", "A -> Z", "Z -> Sink"}));
  EXPECT_EQ(segments_of(sut, "MainPipeline__A"), (Texts{"S", "T"}));
  EXPECT_EQ(segments_of(sut, "MainPipeline__A__B__C"), (Texts{"V", "U"}));
  EXPECT_EQ(sut.pipeline_keys, (Texts{"MainPipeline", "MainPipeline__A", "MainPipeline__A__B", "MainPipeline__A__B__C",
                                      "MainPipeline__A__B__C__D"}));
}

TEST(TopologyTest, LinksTakeTheConsumersOptionsThenThePlans) {
  Plan plan = make_plan(Mode::parallel, {make_stage("A"), make_stage("B")});
  plan.links = {.items = 64, .bytes = 1024, .overflow = Overflow::block};
  plan.root.children[1].stage->input_link = LinkOptions{.items = {}, .bytes = 2048, .overflow = Overflow::drop_oldest};
  const Topology sut = make_topology(plan);
  EXPECT_EQ(sut.links[0].options, plan.links);
  EXPECT_EQ(sut.links[1].options, (LinkOptions{.items = 64, .bytes = 2048, .overflow = Overflow::drop_oldest}));
  EXPECT_EQ(sut.links[2].options, plan.links);
}

TEST(TopologyTest, LinksThatAnswerAlwaysBlock) {
  Plan plan = make_plan(Mode::serial, {make_pipeline("P", Mode::parallel, {make_stage("X")})});
  plan.links.overflow = Overflow::drop_newest;
  const Topology sut = make_topology(plan);
  EXPECT_EQ(sut.links[0].options.overflow, Overflow::block);
  EXPECT_EQ(sut.links[1].options.overflow, Overflow::block);
}

TEST(TopologyTest, BehindEverySinkIsATerminalLinkBehindAllOthers) {
  const Plan plan = make_plan(Mode::serial, {make_pipeline("P", Mode::parallel, {make_stage("X")})});
  const Topology sut = make_topology(plan);
  ASSERT_EQ(sut.links.size(), 3U);
  EXPECT_EQ(sut.item_links().size(), 2U);
  EXPECT_EQ(sut.links[2].producer, (SegmentRef{.worker = 0, .index = 1}));
  EXPECT_TRUE(sut.links[2].is_terminal());
  EXPECT_EQ(sut.segment_of(2).outputs, std::vector<LinkId>{2});
  EXPECT_EQ(make_topology(make_plan(Mode::parallel, {make_stage("A")}, EndKind::external)).links.size(), 2U);
}

TEST(TopologyTest, StagesKnowTheirPlaceAndTheirLinks) {
  const Plan plan = make_plan(
      Mode::parallel, {make_pipeline("Row", Mode::serial,
                                     {make_stage("A"), make_stage("B"),
                                      make_pipeline("P", Mode::parallel, {make_stage("X")}), make_stage("C")})});
  const Topology sut = make_topology(plan);  // Source, A, B, X, C, Sink
  EXPECT_EQ(sut.stages[4].segment, 1U);
  EXPECT_EQ(sut.stages[4].index, 2U);
  const auto ids = [](std::span<const LinkId> links) { return std::vector<LinkId>(links.begin(), links.end()); };
  EXPECT_EQ(ids(sut.links_into(1)), std::vector<LinkId>{0});
  EXPECT_TRUE(sut.links_out_of(1).empty());
  EXPECT_TRUE(sut.links_into(2).empty());
  EXPECT_EQ(ids(sut.links_out_of(2)), std::vector<LinkId>{1});
  EXPECT_TRUE(sut.links_into(0).empty());
  EXPECT_TRUE(sut.has_source(0));
  EXPECT_FALSE(sut.has_source(1));
  EXPECT_TRUE(sut.has_sink(3));
}

TEST(TopologyTest, TheUsersProcessFeedsAndReads) {
  const Topology beside = make_topology(make_plan(Mode::parallel, {make_stage("A")}, EndKind::external));
  EXPECT_EQ(beside.fed_by_user(), std::vector<LinkId>{0});
  EXPECT_EQ(beside.read_by_user(), std::vector<LinkId>{1});
  EXPECT_FALSE(beside.workers.front().runs_row());
  EXPECT_TRUE(beside.leaves_pipeline(beside.workers[1].segments.front()));
  const Topology row = make_topology(make_plan(
      Mode::serial, {make_stage("A"), make_pipeline("P", Mode::parallel, {make_stage("X")})}, EndKind::external));
  EXPECT_EQ(row.fed_by_user(), std::vector<LinkId>{0});
  EXPECT_EQ(row.read_by_user(), std::vector<LinkId>{1});
  EXPECT_TRUE(row.workers.front().runs_row());
  EXPECT_FALSE(row.leaves_pipeline(row.workers[1].segments.front()));
  EXPECT_TRUE(row.leaves_pipeline(row.workers.front().segments.back()));
}

Node in_replicas(std::uint32_t replicas, Node node) {
  node.replicas = replicas;
  return node;
}

TEST(TopologyTest, ReplicasShareTheLinkInFrontAndTheNextStageCollects) {
  const Plan plan = make_plan(Mode::parallel, {in_replicas(2, make_stage("A"))});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(workers_of(sut),
            (Texts{"MainPipeline__Source", "MainPipeline__A#1", "MainPipeline__A#2", "MainPipeline__Sink"}));
  EXPECT_EQ(links_of(sut), (Texts{"Source -> A", "A#1 -> Sink !", "A#2 -> Sink !"}));
  EXPECT_TRUE(sut.links[0].deals());
  EXPECT_FALSE(sut.links[1].deals());
  EXPECT_EQ(sut.links[0].consumers, (std::vector<SegmentRef>{{.worker = 1}, {.worker = 2}}));
  EXPECT_EQ(sut.consumer_index(0, {.worker = 2}), 1U);
  EXPECT_EQ(sut.workers[3].segments[0].inputs, (std::vector<LinkId>{1, 2}));
  EXPECT_EQ(sut.downstream(0), (std::vector<StageId>{1, 2}));
  EXPECT_EQ(sut.upstream(1), std::vector<StageId>{0});
  EXPECT_EQ(sut.upstream(2), std::vector<StageId>{0});
  EXPECT_EQ(sut.upstream(3), (std::vector<StageId>{1, 2}));
  EXPECT_TRUE(sut.downstream(3).empty());
}

TEST(TopologyTest, ReplicasAreOneStageOfThePlan) {
  const Plan plan = make_plan(Mode::parallel, {make_stage("A"), in_replicas(2, make_stage("B")), make_stage("C")});
  const Topology sut = make_topology(plan);
  std::vector<std::uint32_t> in_plan;
  std::vector<bool> first;
  for (const PlacedStage& placed : sut.stages) {
    in_plan.push_back(placed.in_plan);
    first.push_back(placed.first_replica);
  }
  EXPECT_EQ(in_plan, (std::vector<std::uint32_t>{0, 1, 2, 2, 3, 4}));
  EXPECT_EQ(first, (std::vector<bool>{true, true, true, false, true, true}));
}

TEST(TopologyTest, BetweenReplicasAndReplicasAWorkerCollects) {
  const Plan plan = make_plan(Mode::parallel, {in_replicas(2, make_stage("A")), in_replicas(2, make_stage("B"))});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"Source -> A", "A#1 -> A#collect !", "A#2 -> A#collect !", "A#collect -> B",
                                  "B#1 -> Sink !", "B#2 -> Sink !"}));
}

TEST(TopologyTest, InFrontOfTheUsersProcessAWorkerCollects) {
  const Topology sut = make_topology(make_plan(Mode::parallel, {in_replicas(2, make_stage("A"))}, EndKind::external));
  EXPECT_EQ(links_of(sut), (Texts{"Entry -> A", "A#1 -> A#collect !", "A#2 -> A#collect !", "A#collect -> Exit"}));
  EXPECT_EQ(sut.read_by_user().size(), 1U);
}

TEST(TopologyTest, AReplicaThatBeginsAndEndsWithReplicasHasADealerAndACollector) {
  const Plan plan = make_plan(Mode::parallel,
                              {in_replicas(2, make_pipeline("P", Mode::parallel, {in_replicas(2, make_stage("A"))}))});
  EXPECT_EQ(links_of(make_topology(plan)),
            (Texts{"Source -> P", "P#1.A#deal -> P#1.A !", "P#1.A#1 -> P#1.A#collect !", "P#1.A#2 -> P#1.A#collect !",
                   "P#2.A#deal -> P#2.A !", "P#2.A#1 -> P#2.A#collect !", "P#2.A#2 -> P#2.A#collect !",
                   "P#1.A#collect -> Sink !", "P#2.A#collect -> Sink !"}));
}

TEST(TopologyTest, ARowDealsToAndCollectsFromReplicasOfItsChild) {
  const Plan plan = make_plan(
      Mode::parallel,
      {make_pipeline("Row", Mode::serial,
                     {make_stage("A"), in_replicas(2, make_pipeline("P", Mode::parallel, {make_stage("X")}))})});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut),
            (Texts{"Source -> Row", "Row -> Row.P !", "Row.P#1.X -> Row !", "Row.P#2.X -> Row !", "Row -> Sink"}));
  EXPECT_EQ(sut.workers[1].segments[1].inputs, (std::vector<LinkId>{2, 3}));
}

TEST(TopologyTest, WhoCollectsFromReplicasThatDoNotShareInTurnFollowsTheDealing) {
  for (const ShareBy by : {ShareBy::least_loaded, ShareBy::key}) {
    Node node = in_replicas(2, make_stage("A"));
    node.share.by = by;
    const Plan plan = make_plan(Mode::parallel, {std::move(node)});
    const Topology sut = make_topology(plan);
    EXPECT_EQ(links_of(sut), (Texts{"Source -> A", "A#1 -> Sink !", "A#2 -> Sink !"}));
    EXPECT_TRUE(sut.links[0].deals());
    EXPECT_EQ(sut.links[0].shared_by, &plan.root.children[0]);
    EXPECT_EQ(sut.links[0].consumers, (std::vector<SegmentRef>{{.worker = 1}, {.worker = 2}}));
    EXPECT_EQ(sut.links[0].follower, (SegmentRef{.worker = 3}));
    const Segment& sink = sut.workers[3].segments[0];
    EXPECT_EQ(sink.inputs, (std::vector<LinkId>{1, 2}));
    EXPECT_EQ(sink.collect, Collect::dealing);
    EXPECT_EQ(sink.followed, LinkId{0});
    EXPECT_FALSE(sut.workers[1].segments[0].followed);
    EXPECT_EQ(sut.upstream(3), (std::vector<StageId>{1, 2}));
  }
}

TEST(TopologyTest, EachOfNestedReplicasIsFollowedByItsOwnCollector) {
  Node inner = in_replicas(2, make_stage("A"));
  inner.share.by = ShareBy::key;
  Node outer = in_replicas(2, make_pipeline("P", Mode::parallel, {std::move(inner)}));
  outer.share.by = ShareBy::least_loaded;
  const Plan plan = make_plan(Mode::parallel, {std::move(outer)});
  const Topology sut = make_topology(plan);
  for (const LinkSpec& link : sut.links) {
    ASSERT_EQ(link.deals(), link.follower.has_value()) << link.name;
    if (link.follower) {
      EXPECT_EQ(sut.segment(*link.follower).inputs.size(), 2U) << link.name;
    }
  }
  EXPECT_EQ(sut.workers[sut.links[0].follower->worker].name, "MainPipeline__Sink");
}

Node branches(Join join, std::string name, std::vector<Node> children) {
  Node node = make_pipeline(std::move(name), Mode::branch, std::move(children));
  node.join = join;
  return node;
}

Node make_sink(std::string name) {
  Node node = make_stage(std::move(name), "null");
  node.kind = StageKind::sink;
  return node;
}

TEST(TopologyTest, BranchesReadOneLinkAndTheNextStageJoinsThem) {
  const Plan plan = make_plan(Mode::parallel, {branches(Join::zip, "V", {make_stage("A"), make_stage("B")})});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"Source -> V", "V.A -> Sink !", "V.B -> Sink !"}));
  EXPECT_EQ(sut.links[0].sharing, Sharing::branches);
  EXPECT_EQ(sut.links[0].consumers, (std::vector<SegmentRef>{{.worker = 1}, {.worker = 2}}));
  EXPECT_FALSE(sut.links[0].one_answer);
  EXPECT_TRUE(sut.links[1].one_answer);
  EXPECT_EQ(sut.workers[3].segments[0].collect, Collect::zip);
  EXPECT_EQ(sut.upstream(3), (std::vector<StageId>{1, 2}));
}

TEST(TopologyTest, MergedBranchesMayGiveSeveralAnswers) {
  const Plan plan = make_plan(Mode::parallel, {branches(Join::merge, "V", {make_stage("A"), make_stage("B")})});
  const Topology sut = make_topology(plan);
  EXPECT_FALSE(sut.links[1].one_answer);
  EXPECT_EQ(sut.workers[3].segments[0].collect, Collect::merge);
}

TEST(TopologyTest, BehindBranchesThatJoinNothingTheNextStageReadsTheirLinkToo) {
  const Plan plan =
      make_plan(Mode::parallel,
                {make_stage("A"),
                 branches(Join::none, "T", {make_pipeline("P", Mode::parallel, {make_stage("X"), make_sink("S")})}),
                 make_stage("B")});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"Source -> A", "A -> T", "T.P.X -> T.P.S", "B -> Sink"}));
  EXPECT_EQ(sut.links[1].sharing, Sharing::every);
  EXPECT_EQ(sut.links[1].consumers.size(), 2U);
  EXPECT_EQ(sut.stages[3].role, Role::sink);
  EXPECT_TRUE(sut.segment_of(3).aside);
  EXPECT_FALSE(sut.leaves_pipeline(sut.segment_of(3)));
  EXPECT_TRUE(sut.leaves_pipeline(sut.segment_of(5)));
  EXPECT_EQ(sut.downstream(1), (std::vector<StageId>{2, 4}));
}

TEST(TopologyTest, BranchesThatBeginOrEndWithBranchesHaveWorkersThatPassOn) {
  const Plan plan = make_plan(
      Mode::parallel,
      {branches(Join::zip, "V",
                {branches(Join::first, "W", {make_stage("A"), make_stage("B")}), in_replicas(2, make_stage("C"))})},
      EndKind::external);
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"Entry -> V", "V.W#deal -> V.W !", "V.W.A -> V.W#collect !", "V.W.B -> V.W#collect !",
                                  "V.C#deal -> V.C !", "V.C#1 -> V.C#collect !", "V.C#2 -> V.C#collect !",
                                  "V.W#collect -> V#collect !", "V.C#collect -> V#collect !", "V#collect -> Exit"}));
  EXPECT_EQ(sut.first_stages().size(), 4U);
  EXPECT_EQ(sut.result_segment().inputs.size(), 1U);
  EXPECT_EQ(sut.links.back().item_parts, 2U);
}

TEST(TopologyTest, ARowHandsAnItemToBranchesAndWaitsForTheirAnswers) {
  const Plan plan = make_plan(
      Mode::parallel, {make_pipeline("Row", Mode::serial,
                                     {make_stage("A"), branches(Join::merge, "V", {make_stage("X"), make_stage("Y")}),
                                      branches(Join::none, "T", {make_sink("S")}), make_stage("B")})});
  const Topology sut = make_topology(plan);
  EXPECT_EQ(links_of(sut), (Texts{"Source -> Row", "Row -> Row.V !", "Row.V.X -> Row !", "Row.V.Y -> Row !",
                                  "Row -> Row.T !", "Row -> Sink"}));
  EXPECT_EQ(sut.workers[1].segments[1].collect, Collect::merge);
  EXPECT_EQ(sut.links[4].consumers.size(), 2U) << "the sink aside, and the row itself";
}

}  // namespace
}  // namespace pystream::plan::test
