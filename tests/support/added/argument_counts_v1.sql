-- The table of projection argument_counts_v1: how many arguments an agent has posted in a topic.

CREATE TABLE argument_counts (
    topic_id uuid,
    agent_id text,
    arguments integer NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (topic_id, agent_id)
);
