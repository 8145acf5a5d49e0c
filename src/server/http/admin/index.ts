import type { Context } from '../../context.ts'
import type { App } from '../app-type.ts'
import { adminAgentRoutes } from './agents.ts'
import { adminAuditRoutes } from './audit.ts'
import { bootstrapRoute } from './bootstrap.ts'
import { adminClientRoutes } from './clients.ts'
import { adminResourceRoutes } from './resources.ts'
import { adminRevocationRoutes } from './revocations.ts'
import { adminWorkflowRoutes } from './workflows.ts'

/** Everything under /admin/v1 (protocol.md section 11). Each route declares its own permission. */
export async function adminRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  await app.register(bootstrapRoute, { ctx })
  await app.register(adminClientRoutes, { ctx })
  await app.register(adminResourceRoutes, { ctx })
  await app.register(adminAgentRoutes, { ctx })
  await app.register(adminWorkflowRoutes, { ctx })
  await app.register(adminRevocationRoutes, { ctx })
  await app.register(adminAuditRoutes, { ctx })
}
