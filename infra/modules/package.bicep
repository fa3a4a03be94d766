// Deploys the code from a public address, as Azure's One Deploy does it. The app's role on its storage account must work
// already, which takes up to ten minutes after the first deployment: if this fails then, deploy again.
param appName string
param packageUri string

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource package 'Microsoft.Web/sites/extensions@2024-11-01' = {
  parent: app
  name: 'onedeploy'
  // The published type has no properties for this name.
  #disable-next-line BCP187
  properties: {
    packageUri: packageUri
    remoteBuild: false
  }
}
