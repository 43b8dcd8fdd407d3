//! The live graph of services, versions, pods and edges; what changed and when.
