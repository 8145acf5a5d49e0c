import type { Migration } from 'kysely/migration'
import * as core from './001_core.ts'
import * as administration from './002_administration.ts'
import * as executions from './003_executions.ts'
import * as partitionBounds from './004_partition_bounds.ts'
import * as partitionChecks from './004_partition_checks.ts'
import * as partitions from './004_partitions.ts'
import * as limits from './005_limits.ts'
import * as registeringClient from './006_registering_client.ts'

/** Every migration by name, in order. Forward only. */
export const migrations: Readonly<Record<string, Migration>> = {
  '001_core': core,
  '002_administration': administration,
  '003_executions': executions,
  '004_partition_bounds': partitionBounds,
  '004_partition_checks': partitionChecks,
  '004_partitions': partitions,
  '005_limits': limits,
  '006_registering_client': registeringClient,
}
