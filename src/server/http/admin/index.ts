import { createReadNotes } from '../../audit/read-notes.ts'
import type { Context } from '../../context.ts'
import type { App } from '../app-type.ts'
import { adminAgentRoutes } from './agents.ts'
import { adminApprovalRoutes } from './approvals.ts'
import { adminAuditRoutes } from './audit.ts'
import { bootstrapRoute } from './bootstrap.ts'
import { adminClientChangeRoutes } from './client-changes.ts'
import { adminClientRoutes } from './clients.ts'
import { adminConsoleRoutes } from './console.ts'
import { adminExecutionRoutes } from './executions.ts'
import { adminExplainRoute } from './explain.ts'
import { adminKeyRoutes } from './keys.ts'
import { adminOwnerRoutes } from './owners.ts'
import { adminResourceChangeRoutes, adminResourceRoutes } from './resources.ts'
import { adminRevocationRoutes } from './revocations.ts'
import { adminShimReleaseRoutes } from './shim-releases.ts'
import { adminTrustedIssuerChangeRoutes, adminTrustedIssuerRoutes } from './trusted-issuers.ts'
import { adminWebhookRoutes } from './webhooks.ts'
import { adminWorkflowRoutes } from './workflows.ts'

/** Everything under /admin/v1 (protocol.md section 11). Each route declares its own permission. */
export async function adminRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  await app.register(bootstrapRoute, { ctx })
  await app.register(adminClientRoutes, { ctx })
  await app.register(adminClientChangeRoutes, { ctx })
  await app.register(adminOwnerRoutes, { ctx })
  await app.register(adminResourceRoutes, { ctx })
  await app.register(adminResourceChangeRoutes, { ctx })
  await app.register(adminAgentRoutes, { ctx })
  await app.register(adminWorkflowRoutes, { ctx })
  await app.register(adminExecutionRoutes, { ctx })
  await app.register(adminApprovalRoutes, { ctx })
  await app.register(adminWebhookRoutes, { ctx })
  await app.register(adminRevocationRoutes, { ctx })
  await app.register(adminKeyRoutes, { ctx })
  await app.register(adminShimReleaseRoutes, { ctx })
  await app.register(adminTrustedIssuerRoutes, { ctx })
  await app.register(adminTrustedIssuerChangeRoutes, { ctx })
  const notes = createReadNotes()
  await app.register(adminAuditRoutes, { ctx, notes })
  await app.register(adminExplainRoute, { ctx, notes })
  await app.register(adminConsoleRoutes, { ctx })
}
