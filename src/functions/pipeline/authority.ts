/**
 * Where users and applications of the operator's tenant sign in, by cloud. Source: Microsoft docs, "National clouds",
 * Microsoft Entra authentication endpoints.
 */

const signInHosts: Readonly<Record<string, string>> = {
  public: 'https://login.microsoftonline.com',
  usgov: 'https://login.microsoftonline.us',
  china: 'https://login.partner.microsoftonline.cn',
};

/** `https://login.microsoftonline.com/<tenant>`. A wrong KEYWARD_CLOUD counts as `public`: the settings report it. */
export const authorityOf = ({ KEYWARD_CLOUD: cloud = 'public' }: NodeJS.ProcessEnv, tenant: string): string =>
  `${signInHosts[cloud] ?? signInHosts.public}/${tenant}`;
