#!/usr/bin/python3.11
"""Runs nodetool against the node of this container."""

import os
import sys

JAVA = "/opt/jre/bin/java"

os.execv(JAVA, [JAVA, "@/opt/cassandra/conf/tool.args", "org.apache.cassandra.tools.NodeTool",
                "-p", os.environ["NODETOOL_PORT"], *sys.argv[1:]])
